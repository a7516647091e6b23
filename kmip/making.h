/* SPDX-License-Identifier: Apache-2.0 */
/* What Create and Register have in common: the attributes of a new object, and the effect. */
#ifndef KMIP_MAKING_H
#define KMIP_MAKING_H

#include "kmip/attribute_rules.h"
#include "kmip/item.h"

/* Ours: templates that one object is made by; each is looked up and read. */
enum { MAKING_TEMPLATES_MAX = 16 };

/* The rules' context for a new object of that type. */
struct attribute_edits making_edits(const struct kmip_item *item, uint32_t object_type);
/* OpenSSL's default generator, for the attribute Random Number Generator and for Query. */
struct kmip_rng_parameters making_generator(void);
/* The attributes of the Template-Attribute, then those of the templates that it names, of which the
 * last wins; ERR_NOT_FOUND: no template has that name; ERR_FIELD: more than MAKING_TEMPLATES_MAX.
 * ERR_AGAIN is to be handed on.
 */
MUST_USE enum err making_attributes(struct kmip_item *item, struct attribute_edits *edits,
	const struct kmip_template_attribute *given);
/* Judges what a Template holds, and takes the names that it gives itself (2.2.6), as 1.0 has it;
 * later they stand beside it, and within are ERR_FIELD (11.4). */
MUST_USE enum err making_template(
	struct attribute_edits *edits, const struct kmip_template *template);
/* The same as making_attributes, behind attributes that were given before: what has one instance
 * and is there stays. */
MUST_USE enum err making_more_attributes(struct kmip_item *item, struct attribute_edits *edits,
	const struct kmip_template_attribute *given);
/* What is said for one key of a pair, then what is said for both: the former wins (4.2). Either may
 * be NULL. */
MUST_USE enum err making_joint_attributes(struct kmip_item *item, struct attribute_edits *edits,
	const struct kmip_template_attribute *own, const struct kmip_template_attribute *common);
/* What the server made up because the client left it out (3.36), for the answer; NULL: nothing. */
MUST_USE enum err making_tell(
	const struct attribute_edits *edits, struct kmip_template_attribute **out);
/* Draws a symmetric key of that kind into item->create. */
MUST_USE enum err making_symmetric_key(struct kmip_item *item, struct algorithm_key *key);
/* The value of the attribute Digest (3.17): SHA-256; key_format 0: none. */
MUST_USE enum err making_digest(
	struct kmip_value *out, struct arena *arena, struct slice digested, uint32_t key_format);
/* Secret Data of those bytes into item->create. */
struct making_secret {
	uint32_t type, format; /* Secret Data Type, Key Format Type */
};
MUST_USE enum err making_secret(
	struct kmip_item *item, const struct making_secret *kind, struct slice material);
/* The attributes Random Number Generator and Original Creation Date of what the server makes. */
MUST_USE enum err making_generator_of(struct kmip_item *item, struct attribute_edits *edits);
/* The latter alone, of what is computed or issued and not drawn. */
MUST_USE enum err making_date_of(struct attribute_edits *edits);
/*
 * Adds what the server sets (algorithm and length of edits->key, Digest over `digested`) and states
 * the effect. item->create has type, format and material by then. ERR_FIELD: the Name is taken;
 * ERR_POLICY: no such key.
 */
MUST_USE enum err making_effect(
	struct kmip_item *item, struct attribute_edits *edits, struct slice digested);
/* The same for a further object of the item, whose names were judged by plan. */
MUST_USE enum err making_further_effect(
	struct kmip_item *item, struct attribute_edits *edits, struct slice digested);

#endif
