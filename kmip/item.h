/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One batch item under work, as an operation's plan and finish see it. Everything that it points to
 * lives in the request's arena.
 */
#ifndef KMIP_ITEM_H
#define KMIP_ITEM_H

#include "kmip/claims.h"
#include "kmip/codec.h"
#include "kmip/later.h"
#include "kmip/serve.h"
#include "kmip/streams.h"

/* Ours: objects that one item may make, the parts of a split key included. */
enum { KMIP_MADE_MAX = 64 };

/* What an operation asks the engine to do: one thing at a time. */
enum kmip_effect {
	KMIP_EFFECT_NONE,
	KMIP_EFFECT_CREATE,
	KMIP_EFFECT_CHANGE,
	KMIP_EFFECT_CHARGE,
	KMIP_EFFECT_DESTROY
};

/* The ID Placeholder (KMIP 1.4, section 4): one per batch. */
struct kmip_placeholder {
	bool has;
	struct uid uid;
};

/* A fetch that failed: reading that object again gives this error instead of ERR_AGAIN. */
struct kmip_fetch_failure {
	struct uid uid;
	enum err err;
};

struct kmip_item {
	/* Given. */
	const struct kmip_options *options;
	const struct kmip_identity *identity;
	struct keystore_view *view;
	struct streams *streams; /* NULL in a worker */
	struct claims *claims; /* likewise */
	struct laters *laters; /* likewise */
	struct arena *arena;
	enum kmip_version version;
	int64_t now; /* seconds, the same for all items of a batch */
	const void *request; /* the payload's struct */
	bool passes_by; /* an effect in passing failed: plan is to do without */
	struct kmip_fetch_failure failures[KMIP_FETCHES_MAX];
	size_t failure_count;

	/* To be filled by plan or finish; set back before each run of plan. */
	void *response; /* the payload's struct, zeroed */
	struct kmip_placeholder placeholder; /* in: the batch's; out: what later items see */
	struct kmip_placeholder subject; /* the object that this item is about, for the audit */
	enum kmip_effect effect;
	struct kmip_placeholder target; /* what is changed or destroyed; left out: the subject */
	struct keystore_create create; /* type, format, material of KMIP_EFFECT_CREATE */
	struct object_change change; /* of every effect but KMIP_EFFECT_CHARGE */
	int64_t charge; /* units of Usage Limits, of KMIP_EFFECT_CHARGE */
	bool durable; /* of KMIP_EFFECT_CHANGE, see struct keystore_change */
	bool in_passing; /* likewise; the item does not fail with it, see passes_by */
	bool archived_too; /* the effect may be on an archived object */
	/* Judges again inside the transaction; ctx is the item. NULL for KMIP_EFFECT_CREATE. */
	enum err (*check)(void *ctx, const struct object *object);
	struct settling *settling; /* settling.h; NULL: the item makes one object, in one step */
	bool settles; /* the effect is the settling */
	const struct later_answer *polled; /* Poll's: what is answered in its place */
	struct slice complaint; /* what the client is told beside the reason; empty: the usual */
	void *plan_result; /* what plan leaves to finish beside the above; the operation's own */

	/* With ERR_AGAIN from plan: what is missing: an object or its material, or, with `compute`,
	 * something that takes long and is computed on another thread before plan is run again. The
	 * function touches what plan_memory points to and nothing else; plan_memory is kept between
	 * the runs of plan, and freed with the item. */
	struct uid needed;
	bool needs_material;
	void (*compute)(void *plan_memory);
	void *plan_memory;
	void (*free_memory)(void *plan_memory);
	bool computes_long; /* seconds: apart from what others wait for */

	/*
	 * For finish: the effect's outcome. The subject is the object that was made or changed.
	 * Finish is called after each effect and may state the next one; steps counts those that
	 * are done. Should a later one fail, the engine destroys what the item made, and the item
	 * fails; what it changed, `take_back`, when finish has set it, states the effect against;
	 * it is called once, before. A settling of which nobody knows whether it will be done
	 * (ERR_AMBIGUOUS) leaves all as it is.
	 */
	uint32_t added_index;
	unsigned steps;
	struct uid made[KMIP_MADE_MAX];
	size_t made_count;
	enum err (*take_back)(struct kmip_item *item);

	/* The engine's: why the item fails, while what it did is taken back. */
	enum err failure;
	bool is_taking_back;
};

/*
 * The object that the request names, or the ID Placeholder's when `uid` is absent. ERR_NOT_FOUND:
 * no such object, no placeholder, or no UUID at all. ERR_ARCHIVED. ERR_AGAIN is to be handed on.
 * Destroyed objects are returned: operations judge.
 */
MUST_USE enum err item_object(struct kmip_item *item, struct slice uid, struct object **out);
/* The same, archived ones included: for what asks about the object, not for it. */
MUST_USE enum err item_metadata(struct kmip_item *item, struct slice uid, struct object **out);
/* Any object, not as the item's subject. */
MUST_USE enum err item_read(struct kmip_item *item, const struct uid *uid, struct object **out);
/* Errors as keystore_read_material; ERR_AGAIN is to be handed on. */
MUST_USE enum err item_material(
	struct kmip_item *item, const struct object *object, struct slice *out);
/* The identifier's text in the arena; of the item's subject. */
MUST_USE enum err item_uid_text(struct kmip_item *item, struct slice *out);
/* What the store runs for an effect: item->check, unless the object was archived meanwhile; ctx is
 * the item. */
MUST_USE enum err item_check(void *ctx, const struct object *object);
/* As before plan; a finish that states a further effect begins with it. */
void item_no_effect(struct kmip_item *item);
/* A codec for values in the request's version. */
struct codec item_codec(const struct kmip_item *item);

#endif
