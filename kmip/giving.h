/* SPDX-License-Identifier: Apache-2.0 */
/* Giving an object out, by Get and Export: as it is, in another form, or wrapped. */
#ifndef KMIP_GIVING_H
#define KMIP_GIVING_H

#include "kmip/item.h"

struct giving {
	struct kmip_uint key_format, key_wrap_type, key_compression; /* as the client asked */
	const struct kmip_key_wrapping_specification *wrapping; /* NULL: as it is */
};
/* Of a request that has these members under their names. */
#define GIVING(request) \
	{ \
		.key_format = (request)->key_format, .key_wrap_type = (request)->key_wrap_type, \
		.key_compression = (request)->key_compression, .wrapping = (request)->wrapping \
	}
/*
 * The object without its attributes. ERR_ILLEGAL: it has no material any more; ERR_SENSITIVE,
 * ERR_NOT_EXTRACTABLE, ERR_KEY_ABSENT, ERR_KEY_FORMAT, ERR_KEY_COMPRESSION, ERR_FEATURE; errors as
 * stored_read and wrapping_apply.
 */
MUST_USE enum err giving_fill(struct kmip_item *item, struct kmip_object *out,
	const struct object *object, const struct giving *giving);
/* The response is filled: states that the object is fresh no more (3.34), of a member of an Object
 * Group as any change, so that each is handed out once, of others in passing; and what the wrapping
 * key is charged with, one after the other. ERR_DENIED: not so much is left of its Usage Limits. */
MUST_USE enum err giving_end(struct kmip_item *item, const struct object *object);
/* For the operation's finish. */
MUST_USE enum err giving_finish(struct kmip_item *item);

#endif
