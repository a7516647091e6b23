/* SPDX-License-Identifier: Apache-2.0 */
/* What one kind of key manager implements; keymanager.c dispatches. Private to the implementations.
 */
#ifndef KEYSTORE_KEYMANAGER_OPS_H
#define KEYSTORE_KEYMANAGER_OPS_H

#include "keystore/keymanager.h"

struct keymanager_ops;

/* The first member of every implementation's own structs. */
struct keymanager {
	const struct keymanager_ops *ops;
	struct keymanager_meter meter;
	int64_t told_date; /* the service's clock by its latest answer; 0: it told none */
	uint64_t told_ms; /* boot time of that answer */
};
struct keymanager_pending {
	const struct keymanager_ops *ops;
};

/* A call has ended: every one, just before its callback. */
void keymanager_note(
	struct keymanager *keymanager, enum keymanager_verb verb, enum err err, uint64_t took_us);

/* What time it was for the service when it answered; 0: it did not tell. */
void keymanager_note_date(struct keymanager *keymanager, int64_t date);

/* One call as the caller gave it: what of it is used follows from the verb. Borrowed during start.
 */
struct keymanager_order {
	enum keymanager_verb verb;
	const struct keymanager_call *call;
	struct slice bytes; /* plaintext, ciphertext or payload */
	const struct keymanager_aad *aad;
	const struct uid *id;
	const char *name;
	const struct keymanager_list_query *query;
	enum keymanager_crk crk; /* KEYMANAGER_ROOT */
	union keymanager_callback {
		void (*on_wrapped)(void *ctx, const struct keymanager_wrapped *result);
		void (*on_unwrapped)(void *ctx, const struct keymanager_unwrapped *result);
		void (*on_got)(void *ctx, const struct keymanager_got *result);
		void (*on_created)(void *ctx, const struct keymanager_created *result);
		void (*on_done)(void *ctx, const struct keymanager_done *result);
		void (*on_listed)(void *ctx, const struct keymanager_listed *result);
		void (*on_root)(void *ctx, const struct keymanager_root *result);
	} callback;
};

struct keymanager_ops {
	const char *kinds[2];
	enum err (*create)(struct keymanager **out, const struct keymanager_options *options,
		char why[KEYMANAGER_WHY_MAX]);
	void (*free)(struct keymanager *keymanager);
	enum err (*reload)(struct keymanager *keymanager, char why[KEYMANAGER_WHY_MAX]);
	enum err (*set_roots)(struct keymanager *keymanager, const char *root_key,
		const char *other_root_key, char why[KEYMANAGER_WHY_MAX]);
	enum err (*start)(struct keymanager_pending **out, struct keymanager *keymanager,
		const struct keymanager_order *order);
	void (*cancel)(struct keymanager_pending *pending);
	void (*health)(const struct keymanager *keymanager, struct keymanager_health *out);
};

#endif
