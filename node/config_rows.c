/* SPDX-License-Identifier: Apache-2.0 */
#include "node/config_rows.h"

const char config_required[] = "required";
const char *const config_kinds[] = { "key-protect", "hpcs", NULL };
const char *const config_choices[] = { "serve", "refuse", NULL };

#define REQUIRED config_required
#define yes true
#define no false
#define ROW(section, key, member, type, min, max, value, reload, help) \
	{ key, offsetof(struct section, member), CONFIG_TYPE_##type, min, max, value, reload, \
		help },

static const struct config_row top_rows[] = {
#define TOP_OPTION(...) ROW(config_top, __VA_ARGS__)
#include "node/config.def"
#undef TOP_OPTION
};

static const struct config_row kmip_rows[] = {
#define KMIP_OPTION(...) ROW(config_kmip, __VA_ARGS__)
#include "node/config.def"
#undef KMIP_OPTION
};

static const struct config_row metrics_rows[] = {
#define METRICS_OPTION(...) ROW(config_metrics, __VA_ARGS__)
#include "node/config.def"
#undef METRICS_OPTION
};

static const struct config_row peer_rows[] = {
#define PEER_OPTION(...) ROW(config_peer, __VA_ARGS__)
#include "node/config.def"
#undef PEER_OPTION
};

static const struct config_row instance_rows[] = {
#define INSTANCE_OPTION(...) ROW(config_instance, __VA_ARGS__)
#include "node/config.def"
#undef INSTANCE_OPTION
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
_Static_assert(COUNT(top_rows) <= CONFIG_ROWS_MAX, "top");
_Static_assert(COUNT(kmip_rows) <= CONFIG_ROWS_MAX, "kmip");
_Static_assert(COUNT(metrics_rows) <= CONFIG_ROWS_MAX, "metrics");
_Static_assert(COUNT(peer_rows) <= CONFIG_ROWS_MAX, "peer");
_Static_assert(COUNT(instance_rows) <= CONFIG_ROWS_MAX, "instances");

const struct config_section config_sections[CONFIG_SECTION_COUNT] = {
	{ NULL, "this node", top_rows, COUNT(top_rows), sizeof(struct config_top) },
	{ "kmip", "the listener that vCenter talks to", kmip_rows, COUNT(kmip_rows),
		sizeof(struct config_kmip) },
	{ "metrics", "the port that monitoring asks", metrics_rows, COUNT(metrics_rows),
		sizeof(struct config_metrics) },
	{ "peer", "the other node; leave the section out to run alone", peer_rows, COUNT(peer_rows),
		sizeof(struct config_peer) },
	{ "instances", "one entry for each tenant: a key manager, a root key, a key ring",
		instance_rows, COUNT(instance_rows), sizeof(struct config_instance) },
};
