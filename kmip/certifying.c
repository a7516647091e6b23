/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/certifying.h"
#include <stdlib.h>
#include "base/x509_authority.h"
#include "kmip/asymmetric.h"
#include "kmip/certificates.h"
#include "kmip/making.h"
#include "kmip/stored.h"

enum { DAY_S = 86400 };

/* What the other thread sees. */
struct memory {
	struct x509_authority *authority;
	struct buf request, old, name; /* of the last two only what is needed */
	bool is_pem;
	struct pkey *key; /* the Public Key's; NULL: there is none */
	struct x509_wish wish;
	struct buf issued;
	enum err err;
};

/* ---- on the other thread ---- */

static enum err read_subject(struct x509_subject **out, const struct memory *memory)
{
	if (buf_slice(&memory->request).len > 0)
		return x509_subject_of_request(out, buf_slice(&memory->request), memory->is_pem);
	if (buf_slice(&memory->old).len > 0)
		return x509_subject_of_certificate(out, buf_slice(&memory->old));
	return x509_subject_of_key(out, memory->key, buf_slice(&memory->name));
}

static enum err issue(struct memory *memory)
{
	struct x509_subject *subject = NULL, *old = NULL;
	enum err err;

	TRY(read_subject(&subject, memory));
	if (memory->key != NULL && !x509_subject_has_key(subject, memory->key))
		TRY(ERR_OTHER_KEY);
	if (buf_slice(&memory->old).len > 0) {
		TRY(x509_subject_of_certificate(&old, buf_slice(&memory->old)));
		TRY(x509_subject_is_same_key(subject, old) ? ERR_OK : ERR_OTHER_KEY);
	}
	memory->wish.subject = subject;
	TRY(x509_authority_issue(&memory->issued, memory->authority, &memory->wish));
out:
	x509_subject_free(subject);
	x509_subject_free(old);
	return err == ERR_INVALID || err == ERR_LIMIT ? ERR_FIELD : err;
}

static void compute(void *ctx)
{
	struct memory *memory = ctx;

	memory->err = issue(memory);
}

static void memory_free(void *ctx)
{
	struct memory *memory = ctx;

	x509_authority_free(memory->authority);
	buf_free(&memory->request);
	buf_free(&memory->old);
	buf_free(&memory->name);
	buf_free(&memory->issued);
	pkey_free(memory->key);
	free(memory);
}

/* ---- what it is given ---- */

enum err certifying_authority(const struct kmip_authority **out, const struct kmip_item *item)
{
	*out = kmip_authorities_find(item->options->authorities, &item->identity->instance);
	return *out == NULL ? ERR_OPERATION : ERR_OK;
}

static enum err judge_request(bool *is_pem, const struct certifying *certifying)
{
	if (certifying->request_type.has != (certifying->request.data != NULL))
		return ERR_MESSAGE;
	if (!certifying->request_type.has)
		return ERR_OK;
	if (certifying->request.len == 0)
		return ERR_FIELD;
	*is_pem = certifying->request_type.value == KMIP_CERTIFICATE_REQUEST_TYPE_PEM;
	return *is_pem || certifying->request_type.value == KMIP_CERTIFICATE_REQUEST_TYPE_PKCS_10
		       ? ERR_OK
		       : ERR_REQUEST_TYPE;
}

/* Nobody vouches for a key that others know, or for one that is not used any more. */
static enum err judge_state(const struct kmip_item *item, const struct object *object)
{
	enum object_state state = object_attributes_state(object, item->now);

	return state == OBJECT_STATE_PRE_ACTIVE || state == OBJECT_STATE_ACTIVE ? ERR_OK
										: ERR_STATE;
}

static int64_t date_of(const struct attribute_edits *edits, enum kmip_attribute_id id)
{
	struct kmip_value value;

	return attribute_rules_get(edits, id, &value) ? value.i64 : 0;
}

static enum err choose_dates(struct x509_wish *wish, const struct kmip_item *item,
	const struct certifying *certifying, const struct kmip_authority *authority)
{
	int64_t activation = date_of(certifying->edits, KMIP_ATTRIBUTE_ACTIVATION_DATE);
	int64_t deactivation = date_of(certifying->edits, KMIP_ATTRIBUTE_DEACTIVATION_DATE);
	int64_t first = x509_authority_not_before(authority->authority);
	int64_t last = x509_authority_not_after(authority->authority);

	wish->not_before = activation != 0 ? activation : item->now;
	wish->not_after = (wish->not_before > item->now ? wish->not_before : item->now) +
			  (int64_t) authority->validity_days * DAY_S;
	if (wish->not_before < first)
		wish->not_before = first;
	if (deactivation != 0 && deactivation <= item->now)
		return ERR_ILLEGAL;
	if (last <= item->now || last <= wish->not_before)
		return ERR_DENIED;
	if (deactivation > last)
		return ERR_FIELD;
	if (deactivation != 0)
		wish->not_after = deactivation;
	else if (wish->not_after > last)
		wish->not_after = last;
	return ERR_OK;
}

/* What would make an authority of it is not certified. */
static unsigned usage_of(const struct attribute_edits *edits)
{
	struct kmip_value mask;

	if (!attribute_rules_get(edits, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_USAGE_MASK, &mask))
		return 0;
	return certificates_usage(mask.integer) & ~(unsigned) X509_USAGE_CERTIFY;
}

/* ---- whose name a key without a request has ---- */

static bool read_name(struct kmip_item *item, struct kmip_name *out, struct slice stored)
{
	struct codec codec = { .arena = item->arena, .version = KMIP_NEWEST };
	struct kmip_value value;

	return kmip_value_decode(&value, stored) == ERR_OK &&
	       kmip_value_read(out, &codec, &kmip_name_table, &value) == ERR_OK;
}

/* The certificate's first Name, else the key's, else the key's identifier. */
static enum err choose_name(
	struct kmip_item *item, struct buf *out, const struct certifying *certifying)
{
	struct slice name = slice_text(kmip_attribute_row(KMIP_ATTRIBUTE_NAME)->name);
	const struct object_attribute *stored = object_attribute_find(certifying->key, name, 0);
	char text[UUID_TEXT_LEN + 1];
	struct kmip_name found;

	for (size_t i = 0; i < certifying->edits->count; i++) {
		const struct object_edit *edit = &certifying->edits->items[i];

		if (slice_equal(edit->name, name) && read_name(item, &found, edit->value))
			return buf_append(out, found.value);
	}
	if (stored != NULL && read_name(item, &found, stored->value))
		return buf_append(out, found.value);
	uid_text(text, &certifying->key->uid);
	return buf_append(out, slice_text(text));
}

/* ---- */

static enum err fill_key(
	struct kmip_item *item, struct memory *memory, const struct certifying *certifying)
{
	struct kmip_object object;
	enum err err;

	TRY(judge_state(item, certifying->key));
	TRY(stored_read(item, certifying->key, &object));
	TRY(asymmetric_open(&memory->key, certifying->key->type, kmip_object_key_block(&object)));
	TRY(choose_name(item, &memory->name, certifying));
out:
	return err == ERR_INVALID || err == ERR_FEATURE || err == ERR_KEY_FORMAT ? ERR_DENIED : err;
}

static enum err fill_old(struct kmip_item *item, struct memory *memory, const struct object *old)
{
	struct kmip_object object;
	enum err err;

	TRY(stored_read(item, old, &object));
	if (object.certificate->type.value != KMIP_CERTIFICATE_TYPE_X_509)
		TRY(ERR_DENIED);
	TRY(buf_append(&memory->old, object.certificate->value));
out:
	return err;
}

static enum err fill(
	struct kmip_item *item, struct memory *memory, const struct certifying *certifying)
{
	const struct kmip_authority *authority;
	enum err err;

	TRY(certifying_authority(&authority, item));
	memory->authority = x509_authority_ref(authority->authority);
	TRY(judge_request(&memory->is_pem, certifying));
	TRY(buf_append(&memory->request, certifying->request));
	TRY(choose_dates(&memory->wish, item, certifying, authority));
	memory->wish.usage = usage_of(certifying->edits);
	if (certifying->key != NULL)
		TRY(fill_key(item, memory, certifying));
	if (certifying->old != NULL)
		TRY(fill_old(item, memory, certifying->old));
out:
	return err == ERR_LIMIT ? ERR_FIELD : err;
}

enum err certifying_begin(struct kmip_item *item, const struct certifying *certifying)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	enum err err = memory == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	buf_init(&memory->request, X509_REQUEST_LEN_MAX);
	buf_init(&memory->old, X509_CERTIFICATE_LEN_MAX);
	buf_init(&memory->name, X509_CERTIFICATE_LEN_MAX);
	buf_init(&memory->issued, X509_CERTIFICATE_LEN_MAX);
	err = fill(item, memory, certifying);
	if (err != ERR_OK) {
		memory_free(memory);
		return err;
	}
	item->plan_memory = memory;
	item->free_memory = memory_free;
	item->compute = compute;
	err = ERR_AGAIN;
out:
	return err;
}

enum err certifying_end(
	struct kmip_item *item, struct attribute_edits *edits, struct slice *digested)
{
	const struct memory *memory = item->plan_memory;
	struct kmip_certificate *certificate = ARENA_NEW(item->arena, struct kmip_certificate);
	struct kmip_object object = { .certificate = certificate };
	enum err err = certificate == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(memory->err);
	certificate->type = KMIP_UINT(KMIP_CERTIFICATE_TYPE_X_509);
	certificate->value = arena_copy(item->arena, buf_slice(&memory->issued));
	TRY(certificate->value.data == NULL ? ERR_NOMEM : ERR_OK);
	*digested = certificate->value;
	TRY(stored_write(item, &object));
	TRY(certificates_describe(edits, certificate));
	TRY(making_date_of(edits));
out:
	return err;
}
