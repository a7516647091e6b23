/* SPDX-License-Identifier: Apache-2.0 */
/* The management of the service's own KMIP front end: adapters, their client certificates, their
 * objects. Nobody speaks KMIP here, so there are no objects. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/openssl.h"
#include "base/rand.h"
#include "tests/emulator/collection.h"
#include "tests/emulator/handlers.h"

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

static const struct collection adapters = { "application/vnd.ibm.kms.kmip_adapter+json", 100, 200 };
static const struct collection certificates = {
	"application/vnd.ibm.kms.kmip_client_certificate+json", 100, 200
};
static const struct collection objects = { "application/vnd.ibm.kms.kmip_object+json", 100, 5000 };

enum { NAME_LEN_MIN = 2, NAME_LEN_MAX = 40, DESCRIPTION_LEN_MAX = 240, PER_PARENT_MAX = 200 };

enum refusal kmip_check_adapters(struct request *request)
{
	return collection_check(request, &adapters);
}

enum refusal kmip_check_certificates(struct request *request)
{
	return collection_check(request, &certificates);
}

enum refusal kmip_check_objects(struct request *request)
{
	return collection_check(request, &objects);
}

/* By id or name; NULL when there is none. */
static cJSON *find(const cJSON *list, const char *id_or_name)
{
	cJSON *item;

	cJSON_ArrayForEach(item, list)
	{
		const char *name = request_text(item, "name");
		if (strcmp(request_text(item, "id"), id_or_name) == 0 ||
			(name != NULL && strcmp(name, id_or_name) == 0))
			return item;
	}
	return NULL;
}

static cJSON *adapter_of(const struct request *request)
{
	return find(request->world->adapters, request->segments[3]);
}

/* The rest of a path is looked up under an adapter; NULL when there is no such one. */
static cJSON *certificates_of(const struct request *request)
{
	return cJSON_GetObjectItem(adapter_of(request), "certificates");
}

static enum refusal answer_one(struct request *request, int status, const char *type, cJSON *item)
{
	cJSON *resources = cJSON_CreateArray();

	cJSON_AddItemToArray(resources, item);
	return request_answer(request, status, key_envelope(type, resources));
}

static cJSON *adapter_as_served(const cJSON *adapter)
{
	cJSON *out = cJSON_Duplicate(adapter, true);

	cJSON_DeleteItemFromObject(out, "certificates");
	return out;
}

static cJSON *certificate_as_listed(const cJSON *certificate)
{
	cJSON *out = cJSON_Duplicate(certificate, true);

	cJSON_DeleteItemFromObject(out, "certificate");
	return out;
}

/* KMIP resources carry milliseconds. */
static void add_moment(
	cJSON *out, const char *date_name, const char *by_name, const struct request *request)
{
	char date[RFC3339_TEXT_LEN + 1];
	char text[RFC3339_TEXT_LEN + 8];

	text_rfc3339_from(date, world_now(request->world));
	snprintf(text, sizeof(text), "%.*s.000Z", RFC3339_TEXT_LEN - 1, date);
	cJSON_AddStringToObject(out, date_name, text);
	cJSON_AddStringToObject(out, by_name, request->user->id);
}

static enum refusal check_name(struct request *request, const cJSON *list)
{
	const char *name = request_text(request->resource, "name");
	size_t len = name != NULL ? strlen(name) : 0;

	if (name == NULL)
		return REFUSE_NOTHING;
	if (len < NAME_LEN_MIN || len > NAME_LEN_MAX || strspn(name, NAME_LETTERS) != len ||
		text_is_uuid(slice_text(name)))
		return request_bad_field(
			request, "name", "2 to 40 letters, digits, - and _, and not a UUID");
	return find(list, name) != NULL ? REFUSE_KMIP_NAME_NOT_UNIQUE_ERR : REFUSE_NOTHING;
}

static void add_name(cJSON *out, const struct request *request, const char *prefix)
{
	const char *given = request_text(request->resource, "name");
	char made[NAME_LEN_MAX + 1];

	snprintf(made, sizeof(made), "%s%08x", prefix, rand_below(UINT32_MAX));
	cJSON_AddStringToObject(out, "name", given != NULL ? given : made);
}

enum refusal kmip_check_body(struct request *request)
{
	enum refusal refusal = request_read_body(request);

	if (refusal == REFUSE_NOTHING)
		refusal = request_read_envelope(request);
	if (refusal == REFUSE_NOTHING &&
		cJSON_GetArraySize(cJSON_GetObjectItem(request->body, "resources")) != 1)
		refusal = request_bad_body(request, "exactly one resource is expected");
	return refusal;
}

/* ---- adapters ---- */

static bool root_is_asked_for(const struct request *request, const cJSON *adapter)
{
	const char *asked = request_param(request, "crk_id");
	const char *root = request_text(cJSON_GetObjectItem(adapter, "profile_data"), "crk_id");

	return asked == NULL || (root != NULL && strcmp(asked, root) == 0);
}

enum refusal kmip_list_adapters(struct request *request)
{
	cJSON *all = cJSON_CreateArray();
	const cJSON *adapter;

	cJSON_ArrayForEach(adapter, request->world->adapters)
	{
		if (root_is_asked_for(request, adapter))
			cJSON_AddItemToArray(all, adapter_as_served(adapter));
	}
	return collection_answer(request, &adapters, all);
}

enum refusal kmip_get_adapter(struct request *request)
{
	const cJSON *adapter = adapter_of(request);

	if (adapter == NULL)
		return REFUSE_KMIP_ADAPTER_NOT_FOUND_ERR;
	return answer_one(request, 200, adapters.type, adapter_as_served(adapter));
}

static enum refusal check_profile(struct request *request, struct key **root)
{
	const cJSON *resource = request->resource;
	const char *profile = request_text(resource, "profile");
	const char *description = request_text(resource, "description");
	const char *id = request_text(cJSON_GetObjectItem(resource, "profile_data"), "crk_id");

	if (profile == NULL || strcmp(profile, "native_1.0") != 0)
		return request_bad_field(request, "profile", "native_1.0");
	if (id == NULL)
		return request_bad_field(request, "crk_id", "the id or alias of a root key");
	if (description != NULL && strlen(description) > DESCRIPTION_LEN_MAX)
		return request_bad_field(
			request, "description", "a string of at most 240 characters");
	*root = world_key(request->world, id);
	if (*root == NULL)
		return REFUSE_KEY_NOT_FOUND_ERR;
	return (*root)->extractable ? REFUSE_KEY_ROOT_REQ_ERR : REFUSE_NOTHING;
}

enum refusal kmip_create_adapter(struct request *request)
{
	struct world *world = request->world;
	const char *description = request_text(request->resource, "description");
	struct key *root = NULL;
	char id[UUID_TEXT_LEN + 1];
	enum refusal refusal = check_profile(request, &root);

	if (refusal == REFUSE_NOTHING)
		refusal = check_name(request, world->adapters);
	if (refusal == REFUSE_NOTHING && cJSON_GetArraySize(world->adapters) >= PER_PARENT_MAX)
		refusal = REFUSE_KMIP_QUOTA_ERR;
	if (refusal != REFUSE_NOTHING)
		return refusal;
	cJSON *adapter = cJSON_CreateObject();
	text_uuid(id);
	cJSON_AddStringToObject(adapter, "id", id);
	add_name(adapter, request, "kmip_adapter_");
	cJSON_AddStringToObject(adapter, "description", description != NULL ? description : "");
	cJSON_AddStringToObject(adapter, "profile", "native_1.0");
	cJSON *data = cJSON_AddObjectToObject(adapter, "profile_data");
	cJSON_AddStringToObject(data, "crk_id", root->id);
	add_moment(adapter, "created_at", "created_by", request);
	add_moment(adapter, "updated_at", "updated_by", request);
	cJSON_AddArrayToObject(adapter, "certificates");
	world_set_adapter(world, adapter);
	return answer_one(request, 201, adapters.type, adapter_as_served(adapter));
}

enum refusal kmip_delete_adapter(struct request *request)
{
	cJSON *adapter = adapter_of(request);

	if (adapter == NULL)
		return REFUSE_KMIP_ADAPTER_NOT_FOUND_ERR;
	world_drop_adapter(request->world, request_text(adapter, "id"));
	return request_answer_empty(request, 204);
}

/* ---- certificates ---- */

enum refusal kmip_list_certificates(struct request *request)
{
	const cJSON *list = certificates_of(request);
	cJSON *all = cJSON_CreateArray();
	const cJSON *certificate;

	if (list == NULL) {
		cJSON_Delete(all);
		return REFUSE_KMIP_ADAPTER_NOT_FOUND_ERR;
	}
	cJSON_ArrayForEach(certificate, list)
		cJSON_AddItemToArray(all, certificate_as_listed(certificate));
	return collection_answer(request, &certificates, all);
}

enum refusal kmip_get_certificate(struct request *request)
{
	const cJSON *list = certificates_of(request);
	const cJSON *certificate = find(list, request->segments[5]);

	if (list == NULL)
		return REFUSE_KMIP_ADAPTER_NOT_FOUND_ERR;
	if (certificate == NULL)
		return REFUSE_KMIP_CERT_NOT_FOUND_ERR;
	return answer_one(request, 200, certificates.type, cJSON_Duplicate(certificate, true));
}

static bool is_certificate(const char *pem)
{
	BIO *bio = pem != NULL ? BIO_new_mem_buf(pem, -1) : NULL;
	X509 *parsed = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	bool is = parsed != NULL;

	X509_free(parsed);
	BIO_free(bio);
	return is;
}

/* Once per region; this is the region. */
static bool is_registered(const struct world *world, const char *pem)
{
	const cJSON *adapter;
	const cJSON *certificate;

	cJSON_ArrayForEach(adapter, world->adapters)
	{
		cJSON_ArrayForEach(certificate, cJSON_GetObjectItem(adapter, "certificates"))
		{
			if (strcmp(request_text(certificate, "certificate"), pem) == 0)
				return true;
		}
	}
	return false;
}

enum refusal kmip_create_certificate(struct request *request)
{
	cJSON *list = certificates_of(request);
	const char *pem = request_text(request->resource, "certificate");
	char id[UUID_TEXT_LEN + 1];

	if (list == NULL)
		return REFUSE_KMIP_ADAPTER_NOT_FOUND_ERR;
	if (!is_certificate(pem))
		return request_bad_field(request, "certificate", "a certificate in PEM format");
	enum refusal refusal = check_name(request, list);
	if (refusal != REFUSE_NOTHING)
		return refusal;
	if (is_registered(request->world, pem))
		return REFUSE_KMIP_CERT_DUPLICATE_ERR;
	if (cJSON_GetArraySize(list) >= PER_PARENT_MAX)
		return REFUSE_KMIP_QUOTA_ERR;
	cJSON *certificate = cJSON_CreateObject();
	text_uuid(id);
	cJSON_AddStringToObject(certificate, "id", id);
	add_name(certificate, request, "kmip_cert_");
	add_moment(certificate, "created_at", "created_by", request);
	cJSON_AddStringToObject(certificate, "certificate", pem);
	cJSON_AddItemToArray(list, certificate);
	world_save_adapter(request->world, adapter_of(request));
	return answer_one(request, 201, certificates.type, certificate_as_listed(certificate));
}

enum refusal kmip_delete_certificate(struct request *request)
{
	cJSON *list = certificates_of(request);
	cJSON *certificate = find(list, request->segments[5]);

	if (list == NULL)
		return REFUSE_KMIP_ADAPTER_NOT_FOUND_ERR;
	if (certificate == NULL)
		return REFUSE_KMIP_CERT_NOT_FOUND_ERR;
	cJSON_Delete(cJSON_DetachItemViaPointer(list, certificate));
	world_save_adapter(request->world, adapter_of(request));
	return request_answer_empty(request, 204);
}

/* ---- objects ---- */

enum refusal kmip_list_objects(struct request *request)
{
	if (adapter_of(request) == NULL)
		return REFUSE_KMIP_ADAPTER_NOT_FOUND_ERR;
	return collection_answer(request, &objects, cJSON_CreateArray());
}

enum refusal kmip_no_object(struct request *request)
{
	return adapter_of(request) == NULL ? REFUSE_KMIP_ADAPTER_NOT_FOUND_ERR
					   : REFUSE_KMIP_OBJECT_NOT_FOUND_ERR;
}
