/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file of kmipd (design D26): YAML, read whole and judged whole. Options,
 * defaults, help, the example file and the manual come from config.def. A wrong file is refused
 * with file, line, key and what is expected.
 */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "base/buf.h"
#include "base/log.h"

#define CONFIG_WARM_ALL UINT32_MAX

enum { CONFIG_WHY_MAX = 600, CONFIG_FILE_LEN_MAX = 1048576, CONFIG_INSTANCES_MAX = 256 };

#define CONFIG_TEXT char *
#define CONFIG_PATH char *
#define CONFIG_SECRET char *
#define CONFIG_ID char *
#define CONFIG_ADDRESS char *
#define CONFIG_KIND char *
#define CONFIG_CHOICE char *
#define CONFIG_POLICY char * /* kmip/policy.h */
#define CONFIG_NUMBER uint32_t
#define CONFIG_WARM uint32_t /* 0: off; CONFIG_WARM_ALL; else how many */
#define CONFIG_FLAG bool
#define CONFIG_LEVEL enum log_level
#define MEMBER(key, member, type, min, max, value, reload, help) CONFIG_##type member;

struct config_top {
#define TOP_OPTION MEMBER
#include "node/config.def"
#undef TOP_OPTION
};
struct config_kmip {
#define KMIP_OPTION MEMBER
#include "node/config.def"
#undef KMIP_OPTION
};
struct config_metrics {
#define METRICS_OPTION MEMBER
#include "node/config.def"
#undef METRICS_OPTION
};
struct config_peer {
#define PEER_OPTION MEMBER
#include "node/config.def"
#undef PEER_OPTION
};
struct config_instance {
#define INSTANCE_OPTION MEMBER
#include "node/config.def"
#undef INSTANCE_OPTION
};
#undef MEMBER

struct config {
	struct config_top top;
	struct config_kmip kmip;
	struct config_metrics metrics;
	bool has_peer;
	struct config_peer peer;
	struct config_instance *instances; /* in the order of the file */
	size_t instance_count;
	struct buf text; /* what it was read from */
};

/* why: "node-a.yaml:12: kmip.listen: expected HOST:PORT, found \"5696\"". The caller frees with
 * config_free. */
MUST_USE enum err config_load(struct config **out, const char *path, char why[CONFIG_WHY_MAX]);
/* The same from a text that was read before; path names it, and relative paths start there. */
MUST_USE enum err config_parse(
	struct config **out, struct slice text, const char *path, char why[CONFIG_WHY_MAX]);
void config_free(struct config *config);
/* Names what of a file that was loaded again only a restart applies: "workers, kmip.listen";
 * nothing where a reload was enough. */
MUST_USE enum err config_waiting(
	struct buf *out, const struct config *running, const struct config *now);

/* An example file with every option, and the options as a manual for --help. */
MUST_USE enum err config_example(struct buf *out);
MUST_USE enum err config_manual(struct buf *out);

#endif
