/* SPDX-License-Identifier: Apache-2.0 */
#include "node/metrics_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

struct tenants {
	struct keystore_instance_status *list;
	size_t count;
};

static void instance_label(
	char out[METRIC_LABELS_LEN_MAX], const struct keystore_instance_status *instance)
{
	snprintf(out, METRIC_LABELS_LEN_MAX, "instance=\"%s\"", instance->id.text);
}

static double ms_since(uint64_t then_ms)
{
	return then_ms == 0 ? 0 : (double) (clock_boot_ms() - then_ms);
}

/* ---- calls to the key manager ---- */

static void verb_label(char out[METRIC_LABELS_LEN_MAX],
	const struct keystore_instance_status *instance, enum keymanager_verb verb)
{
	snprintf(out, METRIC_LABELS_LEN_MAX, "instance=\"%s\",verb=\"%s\"", instance->id.text,
		keymanager_verb_name(verb));
}

static void tell_results(struct metrics_out *out, const struct keystore_instance_status *instance,
	enum keymanager_verb verb)
{
	char labels[METRIC_LABELS_LEN_MAX];
	for (size_t err = 0; err < ERR_COUNT; err++) {
		if (instance->meter->ended[verb][err] == 0)
			continue;
		snprintf(labels, sizeof(labels), "instance=\"%s\",verb=\"%s\",result=\"%s\"",
			instance->id.text, keymanager_verb_name(verb),
			err == ERR_OK ? "ok" : err_name((enum err) err));
		metric_put(out, METRIC_key_manager_calls_total, labels,
			(double) instance->meter->ended[verb][err]);
	}
}

static void tell_sent(struct metrics_out *out, const struct keystore_instance_status *instance,
	enum keymanager_verb verb)
{
	char labels[METRIC_LABELS_LEN_MAX];
	verb_label(labels, instance, verb);
	metric_put(out, METRIC_key_manager_requests_total, labels,
		(double) instance->meter->sent[verb]);
}

static void tell_took(struct metrics_out *out, const struct keystore_instance_status *instance,
	enum keymanager_verb verb)
{
	char labels[METRIC_LABELS_LEN_MAX];
	struct histogram_sum sum = { 0 };
	if (instance->meter->sent[verb] == 0)
		return;
	verb_label(labels, instance, verb);
	histogram_add(&sum, &instance->meter->took[verb]);
	metric_put_histogram(out, METRIC_key_manager_seconds, labels, &sum);
}

static void tell_calls(struct metrics_out *out, const struct tenants *tenants, enum metric metric,
	void (*tell)(struct metrics_out *out, const struct keystore_instance_status *instance,
		enum keymanager_verb verb))
{
	metric_begin(out, metric);
	for (size_t i = 0; i < tenants->count; i++)
		for (int verb = 0; verb < KEYMANAGER_VERBS; verb++)
			tell(out, &tenants->list[i], (enum keymanager_verb) verb);
}

/* ---- one number for each instance ---- */

static double number_of(const struct keystore_instance_status *instance, enum metric metric)
{
	switch (metric) {
	case METRIC_key_manager_reachable:
		return instance->health.reachable;
	case METRIC_key_manager_running:
		return instance->health.running;
	case METRIC_key_manager_queued:
		return instance->health.queued;
	case METRIC_key_manager_calls_at_once:
		return instance->health.slots;
	case METRIC_key_manager_throttled_total:
		return (double) instance->health.throttled;
	case METRIC_key_manager_circuit_opened_total:
		return (double) instance->health.circuit_opened;
	case METRIC_key_manager_circuit_refused_total:
		return (double) instance->health.circuit_refused;
	case METRIC_outage:
		return instance->outage_since_ms != 0;
	case METRIC_outage_seconds_total:
		return ((double) instance->outages_ms + ms_since(instance->outage_since_ms)) / 1e3;
	case METRIC_outages_total:
		return (double) instance->outages + (instance->outage_since_ms != 0);
	case METRIC_refused:
		return instance->refused;
	case METRIC_new_credential_pending:
		return instance->health.credential[0] != '\0';
	case METRIC_root_key_enabled:
		return instance->root == KEYMANAGER_ROOT_ENABLED;
	case METRIC_instance_objects:
		return (double) instance->objects_seen;
	case METRIC_unclaimed_keys:
		return (double) instance->unclaimed;
	case METRIC_missing_keys:
		return (double) instance->missing;
	case METRIC_ledger_records:
		return (double) instance->ledger_records;
	case METRIC_ledger_waiting:
		return (double) instance->ledger_waiting;
	case METRIC_listed:
		return instance->listed;
	case METRIC_rebuilt:
		return instance->rebuilt;
	case METRIC_rebuild_listed:
		return (double) instance->listing_listed;
	default:
		ASSERT(metric == METRIC_rebuild_read);
		return (double) instance->listing_read;
	}
}

static void tell_numbers(
	struct metrics_out *out, const struct tenants *tenants, enum metric from, enum metric to)
{
	char labels[METRIC_LABELS_LEN_MAX];
	for (int metric = (int) from; metric <= (int) to; metric++) {
		metric_begin(out, (enum metric) metric);
		for (size_t i = 0; i < tenants->count; i++) {
			instance_label(labels, &tenants->list[i]);
			metric_put(out, (enum metric) metric, labels,
				number_of(&tenants->list[i], (enum metric) metric));
		}
	}
}

/* Nothing to tell before the first good poll. */
static void tell_poll_age(struct metrics_out *out, const struct tenants *tenants)
{
	char labels[METRIC_LABELS_LEN_MAX];
	metric_begin(out, METRIC_poll_age_seconds);
	for (size_t i = 0; i < tenants->count; i++) {
		if (tenants->list[i].poll_good_ms == 0)
			continue;
		instance_label(labels, &tenants->list[i]);
		metric_put(out, METRIC_poll_age_seconds, labels,
			ms_since(tenants->list[i].poll_good_ms) / 1e3);
	}
}

static void tell_circuit(struct metrics_out *out, const struct tenants *tenants)
{
	char labels[METRIC_LABELS_LEN_MAX];
	metric_begin(out, METRIC_key_manager_circuit);
	for (size_t i = 0; i < tenants->count; i++) {
		snprintf(labels, sizeof(labels), "instance=\"%s\",state=\"%s\"",
			tenants->list[i].id.text, tenants->list[i].health.circuit);
		metric_put(out, METRIC_key_manager_circuit, labels, 1);
	}
}

static void tell_gets(struct metrics_out *out, const struct tenants *tenants)
{
	char labels[METRIC_LABELS_LEN_MAX];
	metric_begin(out, METRIC_gets_from);
	for (size_t i = 0; i < tenants->count; i++) {
		snprintf(labels, sizeof(labels), "instance=\"%s\",source=\"%s\"",
			tenants->list[i].id.text, keeper_gets_name(&tenants->list[i]));
		metric_put(out, METRIC_gets_from, labels, 1);
	}
}

static void tell_checkpoint(struct metrics_out *out, const struct keystore *keystore)
{
	struct keystore_checkpoint_status status;
	keystore_checkpoint_status(keystore, &status);
	metric_tell(out, METRIC_checkpoint_running, status.running);
	metric_tell(out, METRIC_checkpoint_looked, (double) status.looked);
	metric_tell(out, METRIC_checkpoint_written, (double) status.written);
	metric_tell(out, METRIC_checkpoint_failed_instances, (double) status.instances_failed);
}

static void tell_all(struct metrics_out *out, const struct tenants *tenants)
{
	tell_numbers(out, tenants, METRIC_key_manager_reachable, METRIC_key_manager_reachable);
	tell_calls(out, tenants, METRIC_key_manager_calls_total, tell_results);
	tell_calls(out, tenants, METRIC_key_manager_requests_total, tell_sent);
	tell_calls(out, tenants, METRIC_key_manager_seconds, tell_took);
	tell_numbers(out, tenants, METRIC_key_manager_running, METRIC_root_key_enabled);
	tell_circuit(out, tenants);
	tell_poll_age(out, tenants);
	tell_gets(out, tenants);
	tell_numbers(out, tenants, METRIC_instance_objects, METRIC_rebuild_read);
}

void metrics_instances(struct metrics_out *out, struct keystore *keystore)
{
	struct tenants tenants = { .count = keystore_instance_count(keystore) };
	tenants.list = calloc(tenants.count, sizeof(*tenants.list));
	if (tenants.list == NULL) {
		out->err = ERR_NOMEM;
		return;
	}
	for (size_t i = 0; i < tenants.count; i++)
		keystore_instance_status(keystore, i, &tenants.list[i]);
	tell_all(out, &tenants);
	tell_checkpoint(out, keystore);
	free(tenants.list);
}
