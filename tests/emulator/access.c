/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/access.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crypt.h"
#include "base/secret.h"
#include "base/openssl.h"
#include <openssl/hmac.h>

enum { TOKEN_MAX = 4096, TOKEN_MAC_HEX = 64 };

static const struct {
	const char *name;
	unsigned role;
} roles[] = {
	{ "Reader", READER },
	{ "ReaderPlus", READERPLUS },
	{ "Writer", WRITER },
	{ "Manager", MANAGER },
	{ "KeyPurge", KEYPURGE },
	{ "KmipAdapterManager", KMIPADAPTERMANAGER },
};

static const unsigned allowed[ACTION_COUNT] = {
#define ACTION(name, iam_action, roles) [ACTION_##name] = roles,
#include "tests/emulator/access.def"
#undef ACTION
};

static unsigned role_named(const char *name)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strcasecmp(roles[i].name, name) == 0)
			return roles[i].role;
	}
	return 0;
}

static enum err access_name(struct access_user *user)
{
	uint8_t hash[CRYPT_SHA256_LEN];
	char uuid[UUID_TEXT_LEN + 1];
	enum err err = crypt_sha256(hash, slice_text(user->name));

	if (err != ERR_OK)
		return err;
	text_uuid_from_bytes(uuid, hash);
	snprintf(user->id, sizeof(user->id), "iam-%s-%s",
		user->is_profile ? "Profile" : "ServiceId", uuid);
	return ERR_OK;
}

enum err access_add(struct access *access, const char *definition, bool is_profile)
{
	const char *equals = strrchr(definition, '=');

	if (access->user_count == ACCESS_API_KEYS_MAX)
		return ERR_LIMIT;
	if (equals == NULL || equals == definition)
		return ERR_CONFIG;
	struct access_user *user = &access->users[access->user_count];
	struct slice names = slice_text(equals + 1);
	if (text_copy(user->roles_text, sizeof(user->roles_text), names) != ERR_OK)
		return ERR_CONFIG;
	char list[ACCESS_ROLES_TEXT_MAX];
	char *rest = list;
	if (text_copy(list, sizeof(list), names) != ERR_OK)
		return ERR_CONFIG;
	for (char *name = strsep(&rest, ","); name != NULL; name = strsep(&rest, ",")) {
		if (role_named(name) == 0)
			return ERR_CONFIG;
		user->roles |= role_named(name);
	}
	user->is_profile = is_profile;
	user->name = strndup(definition, (size_t) (equals - definition));
	if (user->name == NULL)
		return ERR_NOMEM;
	access->user_count++;
	return access_name(user);
}

void access_free(struct access *access)
{
	for (size_t i = 0; i < access->user_count; i++)
		free(access->users[i].name);
}

const struct access_user *access_by_api_key(const struct access *access, struct slice api_key)
{
	for (size_t i = 0; i < access->user_count; i++) {
		const struct access_user *user = &access->users[i];
		if (!user->is_profile && slice_equal_text(api_key, user->name))
			return user;
	}
	return NULL;
}

const struct access_user *access_by_profile(const struct access *access, struct slice profile)
{
	for (size_t i = 0; i < access->user_count; i++) {
		const struct access_user *user = &access->users[i];
		if (user->is_profile && (slice_equal_text(profile, user->name) ||
						slice_equal_text(profile, user->id)))
			return user;
	}
	return NULL;
}

bool access_allows(const struct access_user *user, enum access_action action)
{
	return (user->roles & allowed[action]) != 0;
}

static enum err base64url_append(struct buf *out, struct slice bytes)
{
	char text[TOKEN_MAX];

	if (text_base64_size(bytes.len) > sizeof(text))
		return ERR_LIMIT;
	text_base64(text, bytes);
	for (char *p = text; *p != '\0'; p++) {
		if (*p == '+')
			*p = '-';
		if (*p == '/')
			*p = '_';
		if (*p == '=')
			*p = '\0';
		if (*p == '\0')
			break;
	}
	return buf_append(out, slice_text(text));
}

static enum err token_mac(const struct access *access, struct buf *out, struct slice text)
{
	uint8_t mac[32];
	unsigned mac_len = sizeof(mac);

	if (HMAC(EVP_sha256(), access->token_key, sizeof(access->token_key), text.data, text.len,
		    mac, &mac_len) == NULL)
		return ERR_CRYPTO;
	return base64url_append(out, slice_of(mac, mac_len));
}

static char *token_claims(const struct access_user *user, const struct access_term *term)
{
	cJSON *claims = cJSON_CreateObject();

	cJSON_AddStringToObject(claims, "iam_id", user->id);
	cJSON_AddStringToObject(claims, "sub", user->id + sizeof("iam-") - 1);
	cJSON_AddStringToObject(claims, "sub_type", user->is_profile ? "Profile" : "ServiceId");
	if (term->use == TOKEN_REFRESH)
		cJSON_AddBoolToObject(claims, "refresh", true);
	cJSON_AddStringToObject(claims, "realmid", "iam");
	cJSON_AddNumberToObject(claims, "iat", (double) term->now);
	cJSON_AddNumberToObject(claims, "exp", (double) (term->now + term->life_s));
	cJSON_AddStringToObject(claims, "iss", "https://iam.cloud.ibm.com/identity");
	cJSON_AddStringToObject(claims, "scope", "ibm openid");
	cJSON_AddStringToObject(claims, "client_id", "default");
	char *text = cJSON_PrintUnformatted(claims);
	cJSON_Delete(claims);
	return text;
}

enum err access_token(const struct access *access, struct buf *out, const struct access_user *user,
	const struct access_term *term)
{
	enum err err;
	struct buf mac;
	char *claims = token_claims(user, term);

	buf_init(&mac, TOKEN_MAC_HEX);
	if (claims == NULL)
		TRY(ERR_NOMEM);
	TRY(base64url_append(out, SLICE_LITERAL("{\"alg\":\"HS256\",\"typ\":\"JWT\"}")));
	TRY(buf_append(out, SLICE_LITERAL(".")));
	TRY(base64url_append(out, slice_text(claims)));
	struct slice signed_part = buf_slice(out);
	TRY(token_mac(access, &mac, signed_part));
	TRY(buf_append(out, SLICE_LITERAL(".")));
	TRY(buf_append(out, buf_slice(&mac)));
out:
	buf_free(&mac);
	cJSON_free(claims);
	return err;
}

/* The claims between the dots; NULL when they are not base64url of JSON. */
static cJSON *token_open(const char *part, size_t len)
{
	char text[TOKEN_MAX + 4];
	uint8_t bytes[TOKEN_MAX];
	size_t bytes_len = 0;
	size_t padded_len = (len + 3) / 4 * 4;

	if (padded_len > TOKEN_MAX)
		return NULL;
	for (size_t i = 0; i < padded_len; i++) {
		char c = i < len ? part[i] : '=';
		text[i] = (char) (c == '-' ? '+' : c == '_' ? '/' : c);
	}
	if (text_unbase64(bytes, &bytes_len, slice_of(text, padded_len)) != ERR_OK)
		return NULL;
	return cJSON_ParseWithLength((const char *) bytes, bytes_len);
}

static bool token_is_ours(const struct access *access, struct slice signed_part, struct slice mac)
{
	struct buf right;

	buf_init(&right, TOKEN_MAC_HEX);
	bool ours = token_mac(access, &right, signed_part) == ERR_OK &&
		    secret_equal(buf_slice(&right), mac);
	buf_free(&right);
	return ours;
}

const struct access_user *access_by_token(
	const struct access *access, struct slice token, struct access_look *look)
{
	const char *text = (const char *) token.data;
	const char *last = token.len > 0 ? memrchr(text, '.', token.len) : NULL;
	const char *first = token.len > 0 ? memchr(text, '.', token.len) : NULL;
	const struct access_user *user = NULL;

	look->expired = false;
	if (first == NULL || first == last)
		return NULL;
	size_t signed_len = (size_t) (last - text);
	if (!token_is_ours(access, slice_cut(token, 0, signed_len),
		    slice_cut(token, signed_len + 1, token.len)))
		return NULL;
	cJSON *claims = token_open(first + 1, (size_t) (last - first - 1));
	const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(claims, "iam_id"));
	double expires = cJSON_GetNumberValue(cJSON_GetObjectItem(claims, "exp"));
	bool refresh = cJSON_IsTrue(cJSON_GetObjectItem(claims, "refresh"));
	bool fits = refresh == (look->use == TOKEN_REFRESH);
	for (size_t i = 0; id != NULL && fits && i < access->user_count; i++) {
		if (strcmp(access->users[i].id, id) == 0)
			user = &access->users[i];
	}
	look->expired = user != NULL && !(expires > (double) look->now);
	cJSON_Delete(claims);
	return look->expired ? NULL : user;
}
