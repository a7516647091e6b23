/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands of kmip-probe share: the options of the command line, the world that they run
 * in, and the report. The commands ask one question after the other (probe_task.h), but for load,
 * which asks many at a time.
 */
#ifndef NODE_PROBE_H
#define NODE_PROBE_H

#include "base/arena.h"
#include "base/loop.h"
#include "base/stream_tls.h"

enum {
	PROBE_ENDPOINTS_MAX = 2,
	PROBE_NAME_MAX = 280,
	/* What two whole answers of a server of ours may take, decoded. */
	PROBE_ARENA_MAX = 4 * 1024 * 1024
};

struct probe_endpoint {
	const char *address; /* borrowed from the command line */
	char name[PROBE_NAME_MAX]; /* its host part, which the certificate must vouch for */
};

struct probe_options {
	struct probe_endpoint endpoints[PROBE_ENDPOINTS_MAX];
	size_t endpoint_count;
	const char *ca_file, *cert_file, *key_file, *facts_file, *mode;
	bool no_verify, json, cleanup, allow_remote;
	uint32_t timeout_ms, retry_ms, seconds, count, connections;
	uint64_t seed;
};

/* What happened on the way, over all tasks. */
struct probe_counts {
	uint64_t steps; /* questions that got a good answer */
	uint64_t walks; /* times that a step went on to the other endpoint */
	uint64_t all_failed; /* times that a step found no endpoint that answered */
};

struct probe {
	const struct probe_options *options;
	struct loop *loop;
	struct tls_context *tls;
	struct arena *arena; /* of the answer that is being looked at; key bytes live here */
	uint64_t random;
	struct probe_counts counts;
	bool interrupted; /* by SIGINT or SIGTERM: end soon, with the usual last lines */
};

/* The commands; the result is the exit status. */
int probe_check(struct probe *probe);
int probe_vsphere(struct probe *probe);
int probe_walk(struct probe *probe);
int probe_verify(struct probe *probe);
int probe_load(struct probe *probe);
bool probe_load_mode_exists(const char *name);

/* Draws a number below bound; the seed alone decides which. */
uint32_t probe_draw(struct probe *probe, uint32_t bound);
/* Microseconds of boot time. */
uint64_t probe_now_us(void);

/* A member of the JSON object that a line is with --json. */
struct probe_field {
	const char *name; /* NULL ends a list */
	enum { PROBE_FIELD_TEXT, PROBE_FIELD_NUMBER, PROBE_FIELD_TRUTH } kind;
	const char *text;
	double number;
	bool truth;
};
#define PROBE_TEXT(key, value) \
	{ \
		.name = (key), .kind = PROBE_FIELD_TEXT, .text = (value) \
	}
#define PROBE_NUMBER(key, value) \
	{ \
		.name = (key), .kind = PROBE_FIELD_NUMBER, .number = (double) (value) \
	}
#define PROBE_TRUTH(key, value) \
	{ \
		.name = (key), .kind = PROBE_FIELD_TRUTH, .truth = (value) \
	}
#define PROBE_FIELDS_END \
	{ \
		.name = NULL \
	}

/* One line on standard output: the sentence, or with --json the fields. */
void probe_say(const struct probe *probe, const struct probe_field *fields, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A sentence on standard error. */
void probe_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
