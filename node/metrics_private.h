/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of metrics share; nobody else includes this. */
#ifndef NODE_METRICS_PRIVATE_H
#define NODE_METRICS_PRIVATE_H

#include "base/histogram.h"
#include "keystore/meter.h"
#include "node/keeper.h"
#include "node/metrics.h"

enum metric {
#define METRIC(name, type, labels, help) METRIC_##name,
#include "node/metrics.def"
#undef METRIC
	METRIC_COUNT
};

enum { METRIC_LABELS_LEN_MAX = 256 };

struct metrics_out {
	struct buf *buf;
	enum err err; /* the first; then nothing more is written */
};

/* Help and type: once, before the samples of the metric. */
void metric_begin(struct metrics_out *out, enum metric metric);
/* labels: `name="value",other="value"`, or empty. */
void metric_put(struct metrics_out *out, enum metric metric, const char *labels, double value);
void metric_put_histogram(struct metrics_out *out, enum metric metric, const char *labels,
	const struct histogram_sum *histogram);
/* One that has no labels. */
void metric_tell(struct metrics_out *out, enum metric metric, double value);
/* A label's value of any origin, escaped; as much as fits. */
void metric_escape(char *out, size_t out_size, const char *text);

/* In the order of metrics.def. */
void metrics_node(struct metrics_out *out, const struct keeper_status *status,
	const struct ready *ready, struct cache *cache);
void metrics_clients(struct metrics_out *out, const struct counters_sum *sum);
void metrics_keys(struct metrics_out *out, const struct keeper_status *status,
	const struct keystore_meter *meter, const struct counters_sum *sum);
void metrics_peer(struct metrics_out *out, const struct keeper_status *status,
	const struct keystore_meter *meter);
void metrics_instances(struct metrics_out *out, struct keystore *keystore);

#endif
