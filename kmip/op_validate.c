/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validate (KMIP 1.4, section 4.24). Trusted are the instance's own authority and self-signed
 * certificates that the instance holds, alive and not revoked; a chain that ends elsewhere is
 * Unknown. One of which any certificate is held here as revoked is Invalid, whatever else it is.
 * Signatures are verified on another thread.
 */
#include <stdlib.h>
#include "base/x509_authority.h"
#include "base/x509_chain.h"
#include "kmip/authorities.h"
#include "kmip/certificates.h"
#include "kmip/holders.h"
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/stored.h"

enum { CERTIFICATES_MAX = 16 };

/* What the other thread sees. */
struct memory {
	struct x509_authority *authority; /* NULL: there is none */
	struct buf bytes[CERTIFICATES_MAX];
	struct x509_member members[CERTIFICATES_MAX];
	struct x509_chain chain;
	enum x509_verdict verdict;
	enum err err;
};

static void compute(void *ctx)
{
	struct memory *memory = ctx;

	memory->err = x509_chain_judge(&memory->verdict, &memory->chain);
}

static void memory_free(void *ctx)
{
	struct memory *memory = ctx;

	for (size_t i = 0; i < memory->chain.count; i++)
		buf_free(&memory->bytes[i]);
	x509_authority_free(memory->authority);
	free(memory);
}

/* ---- what is held of a certificate ---- */

struct holding {
	struct slice digest; /* in stored form */
	int64_t date;
	bool is_live, is_revoked;
};

static bool is_over(const struct object *object, int64_t date)
{
	struct object_schedule schedule = object_attributes_schedule(object);
	enum object_state state = object_state(object, &schedule, date);

	return object->compromised || state == OBJECT_STATE_DEACTIVATED ||
	       (object->dates[OBJECT_DATE_DEACTIVATED] != 0 &&
		       object->dates[OBJECT_DATE_DEACTIVATED] <= date);
}

static enum err on_holder(void *ctx, const struct object *object)
{
	const char *name = kmip_attribute_row(KMIP_ATTRIBUTE_DIGEST)->name;
	const struct object_attribute *digest = object_attribute_find(object, slice_text(name), 0);
	struct holding *holding = ctx;

	if (object->type != KMIP_OBJECT_TYPE_CERTIFICATE || digest == NULL ||
		!slice_equal(digest->value, holding->digest))
		return ERR_OK;
	holding->is_live = true;
	holding->is_revoked = holding->is_revoked || is_over(object, holding->date);
	return ERR_OK;
}

/* By issuer and serial number, and then by the Digest; the same certificate may be held twice. */
static enum err find_held(
	struct kmip_item *item, struct holding *holding, const struct kmip_certificate *certificate)
{
	struct attribute_edits edits = making_edits(item, KMIP_OBJECT_TYPE_CERTIFICATE);
	const enum kmip_attribute_id id = KMIP_ATTRIBUTE_X_509_CERTIFICATE_IDENTIFIER;
	struct kmip_value value;
	struct slice encoded;
	enum err err;

	TRY(certificates_describe(&edits, certificate));
	TRY(attribute_rules_get(&edits, id, &value) ? ERR_OK : ERR_FIELD);
	TRY(kmip_value_encode(&encoded, item->arena, &value));
	TRY(making_digest(&value, item->arena, certificate->value, 0));
	TRY(kmip_value_encode(&holding->digest, item->arena, &value));
	TRY(holders_find(
		item, slice_text(kmip_attribute_row(id)->name), encoded, on_holder, holding));
out:
	return err;
}

/* ---- the chain ---- */

struct asked {
	struct slice ders[CERTIFICATES_MAX];
	bool anchors[CERTIFICATES_MAX];
	size_t count;
	int64_t date;
	bool is_revoked;
};

static enum err add(
	struct kmip_item *item, struct asked *asked, const struct kmip_certificate *certificate)
{
	struct holding holding = { .date = asked->date };
	enum err err;

	TRY(asked->count == CERTIFICATES_MAX ? ERR_FIELD : ERR_OK);
	if (certificate->type.value != KMIP_CERTIFICATE_TYPE_X_509)
		TRY(ERR_FEATURE);
	TRY(find_held(item, &holding, certificate));
	asked->is_revoked = asked->is_revoked || holding.is_revoked;
	asked->anchors[asked->count] = holding.is_live && !holding.is_revoked;
	asked->ders[asked->count++] = certificate->value;
out:
	return err;
}

static enum err add_held(struct kmip_item *item, struct asked *asked, struct slice uid)
{
	struct kmip_object stored;
	struct object *object;
	struct uid parsed;
	enum err err;

	TRY(uid_parse(&parsed, uid) == ERR_OK ? ERR_OK : ERR_NOT_FOUND);
	TRY(item_read(item, &parsed, &object));
	if (object_attributes_is_archived(object))
		TRY(ERR_ARCHIVED);
	if (object->type != KMIP_OBJECT_TYPE_CERTIFICATE)
		TRY(ERR_FIELD);
	TRY(object->dead ? ERR_DESTROYED : ERR_OK);
	TRY(stored_read(item, object, &stored));
	TRY(add(item, asked, stored.certificate));
out:
	return err;
}

static enum err gather(struct kmip_item *item, struct asked *asked)
{
	const struct kmip_validate_request *request = item->request;
	enum err err = ERR_OK;

	asked->date = request->validity_date.has ? request->validity_date.value : item->now;
	for (size_t i = 0; i < request->certificates.count; i++)
		TRY(add(item, asked, &request->certificates.items[i]));
	for (size_t i = 0; i < request->unique_identifiers.count; i++)
		TRY(add_held(item, asked, request->unique_identifiers.items[i]));
	TRY(asked->count == 0 ? ERR_MESSAGE : ERR_OK);
out:
	return err;
}

static enum err begin(struct kmip_item *item, const struct asked *asked)
{
	const struct kmip_authority *authority =
		kmip_authorities_find(item->options->authorities, &item->identity->instance);
	struct memory *memory = calloc(1, sizeof(*memory));

	if (memory == NULL)
		return ERR_NOMEM;
	item->plan_memory = memory;
	item->free_memory = memory_free;
	if (authority != NULL && authority->authority != NULL)
		memory->authority = x509_authority_ref(authority->authority);
	for (size_t i = 0; i < asked->count; i++) {
		struct buf *bytes = &memory->bytes[memory->chain.count++];

		buf_init(bytes, asked->ders[i].len);
		if (buf_append(bytes, asked->ders[i]) != ERR_OK)
			return ERR_NOMEM;
		memory->members[i] = (struct x509_member){ buf_slice(bytes), asked->anchors[i] };
	}
	memory->chain.members = memory->members;
	memory->chain.authority = memory->authority;
	memory->chain.date = asked->date;
	item->compute = compute;
	return ERR_AGAIN;
}

static enum err end(struct kmip_item *item, const struct asked *asked)
{
	static const uint32_t indicators[] = { [X509_VALID] = KMIP_VALIDITY_INDICATOR_VALID,
		[X509_INVALID] = KMIP_VALIDITY_INDICATOR_INVALID,
		[X509_UNKNOWN] = KMIP_VALIDITY_INDICATOR_UNKNOWN };
	struct kmip_validate_response *response = item->response;
	const struct memory *memory = item->plan_memory;
	enum err err = memory->err;

	TRY(err == ERR_INVALID ? ERR_FIELD : err);
	response->validity = KMIP_UINT(
		asked->is_revoked ? KMIP_VALIDITY_INDICATOR_INVALID : indicators[memory->verdict]);
out:
	return err;
}

enum err op_validate_plan(struct kmip_item *item)
{
	struct asked asked = { 0 };
	enum err err;

	TRY(gather(item, &asked));
	TRY(item->plan_memory == NULL ? begin(item, &asked) : end(item, &asked));
out:
	return err;
}
