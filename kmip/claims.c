/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/claims.h"
#include <stdlib.h>
#include "base/crypt.h"

struct place {
	const void *holder;
	uint8_t hash[CRYPT_SHA256_LEN];
};

struct claims {
	struct place places[CLAIMS_MAX]; /* those that are taken come first */
	size_t count;
};

enum err claims_new(struct claims **out)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? ERR_NOMEM : ERR_OK;
}

void claims_free(struct claims *claims)
{
	free(claims);
}

enum err claims_take(struct claims *claims, const void *holder, const struct claim *claim)
{
	const struct slice parts[] = { slice_of(claim->instance.text, INSTANCE_ID_LEN_MAX),
		claim->name, slice_of("", 1), claim->value };
	struct place fresh = { .holder = holder };
	enum err err;

	TRY(crypt_sha256_parts(fresh.hash, parts, sizeof(parts) / sizeof(parts[0])));
	for (size_t i = 0; i < claims->count; i++) {
		const struct place *place = &claims->places[i];

		if (slice_equal(slice_of(place->hash, sizeof(place->hash)),
			    slice_of(fresh.hash, sizeof(fresh.hash))))
			return place->holder == holder ? ERR_OK : ERR_EXISTS;
	}
	if (claims->count == CLAIMS_MAX)
		return ERR_UNAVAILABLE;
	claims->places[claims->count++] = fresh;
out:
	return err;
}

void claims_let_go(struct claims *claims, const void *holder)
{
	size_t kept = 0;

	if (claims == NULL)
		return;
	for (size_t i = 0; i < claims->count; i++) {
		if (claims->places[i].holder != holder)
			claims->places[kept++] = claims->places[i];
	}
	claims->count = kept;
}
