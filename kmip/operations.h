/* SPDX-License-Identifier: Apache-2.0 */
/* The table of served operations, from operations.def. Adding one is described in README.md. */
#ifndef KMIP_OPERATIONS_H
#define KMIP_OPERATIONS_H

#include "kmip/item.h"

enum operation_flags {
	OPERATION_READS = 0,
	OPERATION_WRITES = 1 << 0,
	OPERATION_READS_LATER = 1 << 1,
	OPERATION_UNDONE = 1 << 2,
	OPERATION_WRITES_UNDONE = OPERATION_WRITES | OPERATION_UNDONE
};

struct operation {
	uint32_t code;
	enum kmip_version since;
	unsigned flags;
	const struct kmip_struct *request;
	const struct kmip_struct *response;
	/* Judges, and fills the response or states an effect; see serve.h. */
	enum err (*plan)(struct kmip_item *item);
	/* Fills the response from the effect's outcome; NULL when there are no effects. */
	enum err (*finish)(struct kmip_item *item);
};

/* NULL: not served in that version. */
const struct operation *operation_find(uint32_t code, enum kmip_version version);
/* The i-th row, NULL behind the last: for Query. */
const struct operation *operation_at(size_t i);

/* A finish for operations whose plan has filled the response already. */
enum err operation_filled(struct kmip_item *item);

#define SERVED(code, name, since, flags, finish) enum err op_##name##_plan(struct kmip_item *item);
#include "kmip/operations.def"
#undef SERVED
enum err op_create_finish(struct kmip_item *item);
enum err op_create_key_pair_finish(struct kmip_item *item);
enum err op_certify_finish(struct kmip_item *item);
enum err op_create_split_key_finish(struct kmip_item *item);
enum err op_join_split_key_finish(struct kmip_item *item);
enum err op_import_finish(struct kmip_item *item);
enum err op_derive_key_finish(struct kmip_item *item);
enum err op_re_certify_finish(struct kmip_item *item);
enum err op_re_key_finish(struct kmip_item *item);
enum err op_re_key_key_pair_finish(struct kmip_item *item);
enum err op_register_finish(struct kmip_item *item);
enum err op_get_finish(struct kmip_item *item);
enum err op_export_finish(struct kmip_item *item);
enum err op_add_attribute_finish(struct kmip_item *item);
enum err op_modify_attribute_finish(struct kmip_item *item);
enum err op_delete_attribute_finish(struct kmip_item *item);
enum err op_activate_finish(struct kmip_item *item);
enum err op_revoke_finish(struct kmip_item *item);
enum err op_destroy_finish(struct kmip_item *item);
enum err op_archive_finish(struct kmip_item *item);
enum err op_recover_finish(struct kmip_item *item);

#endif
