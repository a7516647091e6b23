/* SPDX-License-Identifier: Apache-2.0 */
#include "node/metrics_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name, *type, *labels, *help;
} rows[METRIC_COUNT] = {
#define COUNTER "counter"
#define GAUGE "gauge"
#define HISTOGRAM "histogram"
#define METRIC(name, type, labels, help) { "kmipd_" #name, type, labels, help },
#include "node/metrics.def"
#undef METRIC
};

static void put(struct metrics_out *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct metrics_out *out, const char *format, ...)
{
	char line[METRIC_LABELS_LEN_MAX + 256];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (out->err == ERR_OK)
		out->err = buf_append(out->buf, slice_text(line));
}

void metric_begin(struct metrics_out *out, enum metric metric)
{
	put(out, "# HELP %s %s\n", rows[metric].name, rows[metric].help);
	put(out, "# TYPE %s %s\n", rows[metric].name, rows[metric].type);
}

void metric_put(struct metrics_out *out, enum metric metric, const char *labels, double value)
{
	bool has = labels[0] != '\0';
	put(out, "%s%s%s%s %.15g\n", rows[metric].name, has ? "{" : "", labels, has ? "}" : "",
		value);
}

void metric_tell(struct metrics_out *out, enum metric metric, double value)
{
	metric_begin(out, metric);
	metric_put(out, metric, "", value);
}

void metric_put_histogram(struct metrics_out *out, enum metric metric, const char *labels,
	const struct histogram_sum *histogram)
{
	const char *name = rows[metric].name;
	const char *comma = labels[0] == '\0' ? "" : ",";
	uint64_t count = 0;
	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
		count += histogram->counts[i];
		put(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, comma,
			histogram_bounds_us[i] / 1e6, (unsigned long long) count);
	}
	count += histogram->counts[HISTOGRAM_BOUNDS];
	put(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma,
		(unsigned long long) count);
	put(out, "%s_sum%s%s%s %.6f\n", name, comma[0] == '\0' ? "" : "{", labels,
		comma[0] == '\0' ? "" : "}", (double) histogram->sum_us / 1e6);
	put(out, "%s_count%s%s%s %llu\n", name, comma[0] == '\0' ? "" : "{", labels,
		comma[0] == '\0' ? "" : "}", (unsigned long long) count);
}

void metric_escape(char *out, size_t out_size, const char *text)
{
	size_t len = 0;
	ASSERT(out_size > 2);
	for (; *text != '\0' && len + 3 < out_size; text++) {
		if (*text == '\\' || *text == '"' || *text == '\n')
			out[len++] = '\\';
		out[len++] = *text == '\n' ? 'n' : *text;
	}
	out[len] = '\0';
}

enum err metrics_print(struct buf *buf, struct keeper *keeper, const struct ready *ready)
{
	struct metrics_out out = { .buf = buf };
	struct keystore *keystore = keeper_keystore(keeper);
	const struct keystore_meter *meter = keystore_meter(keystore);
	struct keeper_status status;
	struct counters_sum *sum = malloc(sizeof(*sum));
	if (sum == NULL)
		return ERR_NOMEM;
	keeper_status(keeper, &status);
	counters_page_sum(status.counters, sum);
	metrics_node(&out, &status, ready, keystore_cache(keystore));
	metrics_clients(&out, sum);
	metrics_keys(&out, &status, meter, sum);
	metrics_peer(&out, &status, meter);
	metrics_instances(&out, keystore);
	free(sum);
	return out.err;
}

enum err metrics_manual(struct buf *out)
{
	enum err err;
	TRY(buf_printf(out, "| metric | type | labels | what it is |\n|---|---|---|---|\n"));
	for (size_t i = 0; i < METRIC_COUNT; i++)
		TRY(buf_printf(out, "| `%s` | %s | %s | %s |\n", rows[i].name, rows[i].type,
			rows[i].labels, rows[i].help));
out:
	return err;
}
