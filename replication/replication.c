/* SPDX-License-Identifier: Apache-2.0 */
#include "replication/replication.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "replication/replication_private.h"
#include "base/clock.h"
#include "base/log.h"

enum { ARENA_BYTES_MAX = 8 * 1048576, STOP_WAIT_MS = 1000 };

/*
 *	down -> connecting -> hello -> catching-up -> streaming
 *	  ^---------+-----------+----------+-------------+
 *	                        +-> refused -> hello
 */
static const struct sm_state states[CORE_STATE_COUNT] = {
	[CORE_DOWN] = { "down", SM_TO(CORE_CONNECTING) | SM_TO(CORE_HELLO) },
	[CORE_CONNECTING] = { "connecting", SM_TO(CORE_DOWN) | SM_TO(CORE_HELLO) },
	[CORE_HELLO] = { "hello",
		SM_TO(CORE_DOWN) | SM_TO(CORE_CATCHING_UP) | SM_TO(CORE_REFUSED) },
	[CORE_CATCHING_UP] = { "catching-up",
		SM_TO(CORE_DOWN) | SM_TO(CORE_STREAMING) | SM_TO(CORE_REFUSED) },
	[CORE_STREAMING] = { "streaming", SM_TO(CORE_DOWN) | SM_TO(CORE_REFUSED) },
	[CORE_REFUSED] = { "refused", SM_TO(CORE_HELLO) },
};

static int instance_compare(const void *a, const void *b)
{
	const struct replication_instance *left = a, *right = b;

	return slice_compare(slice_of(left->id.text, INSTANCE_ID_LEN_MAX),
		slice_of(right->id.text, INSTANCE_ID_LEN_MAX));
}

/* As HELLO has them: the instances in `out`, and their settings. */
static enum err instances_encode(struct buf *out, struct buf *settings,
	const struct replication_instance *instances, size_t instance_count)
{
	size_t size = instance_count * sizeof(*instances);
	struct replication_instance *sorted = malloc(size + 1);
	enum err err = sorted == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	bytes_copy(sorted, instances, size);
	qsort(sorted, instance_count, sizeof(*sorted), instance_compare);
	for (size_t i = 0; i < instance_count; i++) {
		TRY(buf_append(out, slice_of(sorted[i].id.text, INSTANCE_ID_LEN_MAX)));
		TRY(buf_append(out, slice_of(sorted[i].digest, sizeof(sorted[i].digest))));
		TRY(buf_append(settings, slice_of(sorted[i].settings, sizeof(sorted[i].settings))));
	}
out:
	free(sorted);
	return err;
}

static enum err make_core(struct replication *replication)
{
	struct core_options options = {
		.cluster = replication->cluster,
		.software = PAIR_VERSION,
		.node = replication->options.node,
		.peer_node = replication->options.peer_node,
		.ack_wait_ms = replication->options.ack_wait_ms,
		.version_max = replication->options.version_max,
		.compare_ms = replication->options.compare_ms,
		.now_ms = clock_boot_ms(),
	};
	enum err err;

	TRY(instances_encode(&replication->instances, &replication->settings,
		replication->options.instances, replication->options.instance_count));
	options.instances = buf_slice(&replication->instances);
	options.settings = buf_slice(&replication->settings);
	TRY(core_new(&replication->core, &options));
out:
	return err;
}

static struct link_files link_files_of(const struct replication_files *files)
{
	return (struct link_files){ files->cert_file, files->key_file, files->peer_cert_file };
}

static enum err make_link(struct replication *replication, char why[REPLICATION_WHY_MAX])
{
	const struct replication_options *from = &replication->options;
	bool dials = from->node < from->peer_node;
	struct link_options options = {
		.loop = from->loop,
		.listen = dials ? NULL : from->listen,
		.peer_address = dials ? from->peer_address : NULL,
		.files = link_files_of(&from->files),
		.handler = replication_link_handler,
	};

	options.handler.ctx = replication;
	return link_new(&replication->link, &options, why);
}

static enum err check_options(
	const struct replication_options *options, char why[REPLICATION_WHY_MAX])
{
	bool dials = options->node < options->peer_node;
	const char *wrong = NULL;

	if (options->node == options->peer_node || options->node == 0 || options->peer_node == 0)
		wrong = "the two nodes need different numbers above 0";
	else if (strlen(options->cluster) > REPLICATION_CLUSTER_LEN_MAX)
		wrong = "the cluster's name is too long";
	else if (options->instance_count > WIRE_INSTANCES_MAX)
		wrong = "too many instances";
	else if (dials && options->peer_address == NULL)
		wrong = "the node with the lower number dials and needs the peer's address";
	else if (!dials && options->listen == NULL)
		wrong = "the node with the higher number needs an address to listen on";
	if (wrong == NULL)
		return ERR_OK;
	(void) snprintf(why, REPLICATION_WHY_MAX, "%s", wrong);
	return ERR_CONFIG;
}

/* Once: what comes later is no news. */
static void stopped_run(void *ctx)
{
	struct replication *replication = ctx;
	void (*on_stopped)(void *ctx) = replication->on_stopped;

	replication->on_stopped = NULL;
	loop_timer_stop(replication->stop_timer);
	link_cut(replication->link, true);
	if (on_stopped != NULL)
		on_stopped(replication->stopped_ctx);
}

static void init(struct replication *replication, const struct replication_options *options)
{
	replication->options = *options;
	(void) snprintf(replication->cluster, sizeof(replication->cluster), "%s", options->cluster);
	(void) snprintf(replication->name, sizeof(replication->name), "node-%u",
		(unsigned) options->peer_node);
	reader_facts_init(&replication->facts, options->peer_node);
	sm_init(&replication->sm, states, CORE_STATE_COUNT, "peer", replication->name);
	buf_init(&replication->instances, (size_t) WIRE_INSTANCES_MAX * WIRE_INSTANCE_LEN);
	buf_init(&replication->settings, (size_t) WIRE_INSTANCES_MAX * WIRE_SETTINGS_LEN);
	buf_init(&replication->frame, WIRE_BODY_MAX + WIRE_HEAD_LEN);
	loop_task_init(&replication->read_task, replication_store_read, replication);
	loop_task_init(&replication->release_task, replication_release, replication);
	loop_task_init(&replication->failed_task, replication_store_end_failed, replication);
	loop_task_init(&replication->stopped_task, stopped_run, replication);
}

enum err replication_new(struct replication **out, const struct replication_options *options,
	char why[REPLICATION_WHY_MAX])
{
	struct replication *replication = NULL;
	enum err err;

	TRY(check_options(options, why));
	(void) snprintf(why, REPLICATION_WHY_MAX, "%s", err_text(ERR_NOMEM));
	replication = calloc(1, sizeof(*replication));
	err = replication == NULL ? ERR_NOMEM : ERR_OK;
	TRY(err);
	init(replication, options);
	TRY(make_core(replication));
	/* Records hold what is wrapped, and nothing secret. */
	TRY(arena_new_public(&replication->arena, ARENA_BYTES_MAX));
	TRY(loop_timer_new(&replication->timer, options->loop, replication_on_timer, replication));
	TRY(loop_timer_new(&replication->stop_timer, options->loop, stopped_run, replication));
	TRY(make_link(replication, why));
	/* The caller's text was copied where it is needed. */
	replication->options.cluster = NULL;
	replication->options.instances = NULL;
	replication->options.files = (struct replication_files){ 0 };
	*out = replication;
	replication = NULL;
out:
	replication_free(replication);
	return err;
}

/* A peer that has dialled in vain for long still turns up in time for a cache that is empty. */
_Static_assert(LINK_RETRY_MAX_MS / 4 * 5 + LINK_HANDSHAKE_MS <= KEYSTORE_PEER_WAIT_MS,
	"the next attempt is waited for");

enum err replication_start(struct replication *replication, char why[REPLICATION_WHY_MAX])
{
	struct keystore_gate gate = {
		.hold = replication_on_hold,
		.cancel = replication_on_cancel,
		.ctx = replication,
	};

	replication->started = true;
	replication_tell_leased(replication, NULL, 0);
	keystore_set_gate(replication->options.keystore, &gate);
	keystore_set_peer(replication->options.keystore, KEYSTORE_PEER_EXPECTED);
	keystore_set_on_logged(replication->options.keystore, replication_on_logged, replication);
	return link_start(replication->link, why);
}

void replication_stop(struct replication *replication, void (*on_stopped)(void *ctx), void *ctx)
{
	bool has_link = link_is_up(replication->link);

	replication->stopped = true;
	replication->on_stopped = on_stopped;
	replication->stopped_ctx = ctx;
	replication_step_kind(replication, CORE_EVENT_STOP);
	if (has_link)
		loop_timer_set(replication->stop_timer, STOP_WAIT_MS);
	else
		loop_defer(replication->options.loop, &replication->stopped_task);
}

void replication_free(struct replication *replication)
{
	if (replication == NULL)
		return;
	if (replication->started) {
		keystore_set_gate(replication->options.keystore, NULL);
		keystore_set_on_logged(replication->options.keystore, NULL, NULL);
	}
	replication_store_cancel(replication);
	loop_task_cancel(&replication->read_task);
	loop_task_cancel(&replication->release_task);
	loop_task_cancel(&replication->failed_task);
	loop_task_cancel(&replication->stopped_task);
	loop_timer_free(replication->timer);
	loop_timer_free(replication->stop_timer);
	link_free(replication->link);
	core_free(replication->core);
	arena_free(replication->arena);
	buf_free(&replication->instances);
	buf_free(&replication->settings);
	buf_free(&replication->frame);
	free(replication);
}

enum err replication_judge(const struct replication_files *files, char why[REPLICATION_WHY_MAX])
{
	struct link_files link_files = link_files_of(files);

	return link_judge(&link_files, why);
}

enum err replication_reload(struct replication *replication, const struct replication_files *files,
	char why[REPLICATION_WHY_MAX])
{
	struct link_files link_files = link_files_of(files);

	return link_reload(replication->link, &link_files, why);
}

static void link_down(struct replication *replication, const char *why)
{
	struct core_event event = { .kind = CORE_EVENT_LINK_DOWN, .why = why };

	link_cut(replication->link, true);
	replication_step(replication, &event);
}

enum err replication_set_instances(struct replication *replication,
	const struct replication_instance *instances, size_t instance_count)
{
	enum err err;
	struct buf encoded, settings;
	bool was_cut = link_is_cut(replication->link);

	buf_init(&encoded, (size_t) WIRE_INSTANCES_MAX * WIRE_INSTANCE_LEN);
	buf_init(&settings, (size_t) WIRE_INSTANCES_MAX * WIRE_SETTINGS_LEN);
	TRY(instance_count > WIRE_INSTANCES_MAX ? ERR_LIMIT : ERR_OK);
	TRY(instances_encode(&encoded, &settings, instances, instance_count));
	link_down(replication, "the instances were changed");
	replication_drop_lease(replication);
	buf_free(&replication->instances);
	buf_free(&replication->settings);
	replication->instances = encoded;
	replication->settings = settings;
	buf_init(&encoded, 0);
	buf_init(&settings, 0);
	core_set_instances(replication->core, buf_slice(&replication->instances));
	core_set_settings(replication->core, buf_slice(&replication->settings));
	replication_tell_leased(replication, NULL, 0);
	link_cut(replication->link, was_cut);
out:
	buf_free(&encoded);
	buf_free(&settings);
	return err;
}

void replication_cut(struct replication *replication, bool cut)
{
	if (cut)
		link_down(replication, "cut by the operator");
	else
		link_cut(replication->link, false);
}

enum err replication_fence(struct replication *replication)
{
	struct core_status status;

	core_status(replication->core, clock_boot_ms(), &status);
	if (link_is_up(replication->link))
		return ERR_STATE;
	log_warning("peer-fenced",
		"by=operator heard_ms_ago=%lld effect=\"nothing waits for the "
		"peer's lease until it is heard again\"",
		status.last_heard_ms == 0 ? -1ll
					  : (long long) (clock_boot_ms() - status.last_heard_ms));
	replication_step_kind(replication, CORE_EVENT_FENCE);
	return ERR_OK;
}

void replication_resume(struct replication *replication)
{
	replication->stopped = false;
	replication_step_kind(replication, CORE_EVENT_RESUME);
	link_cut(replication->link, false);
}

void replication_drop_lease(struct replication *replication)
{
	replication_step_kind(replication, CORE_EVENT_GAP);
}

static struct replication_snapshot snapshot_of(const struct core_snapshot *snapshot)
{
	return (struct replication_snapshot){ snapshot->began_ms, snapshot->ended_ms,
		snapshot->record_count };
}

void replication_status(const struct replication *replication, struct replication_status *out)
{
	struct core_status status;

	core_status(replication->core, clock_boot_ms(), &status);
	*out = (struct replication_status){
		.state = core_state_name(status.state),
		.since_ms = status.since_ms,
		.last_heard_ms = status.last_heard_ms,
		.own_seq = status.own_seq,
		.peer_acked_seq = status.acked_seq,
		.peer_seq = status.peer_seq,
		.merged_seq = status.merged_seq,
		.holds = status.holds,
		.snapshots = status.snapshots,
		.comparisons = status.comparisons,
		.differing_buckets = status.differing_buckets,
		.compared_ms = status.compared_ms,
		.differing_instances = status.differing_instances,
		.differing_settings = replication->differing_settings,
		.protocol_version = status.version,
		.lag_ms = status.lag_ms,
		.lease_held_until_ms = status.held_until_ms,
		.lease_granted_until_ms = status.granted_until_ms,
		.waits = { status.waits.count, status.waits.unacknowledged, status.waits.last_ms,
			status.waits.max_ms },
		.snapshot_sent = snapshot_of(&status.snapshot_sent),
		.snapshot_received = snapshot_of(&status.snapshot_received),
		.fenced_ms = status.fenced_ms,
		.cut = link_is_cut(replication->link) && !replication->stopped,
	};
	const char *failure = link_failure(replication->link);
	(void) snprintf(
		out->why, sizeof(out->why), "%s", failure[0] != '\0' ? failure : status.why);
	(void) snprintf(out->peer_version, sizeof(out->peer_version), "%s", status.peer_software);
}
