/* SPDX-License-Identifier: Apache-2.0 */
/* Shows that wrapping has the service's shape and binds what it must: wraps and unwraps with keys
 * sealed in a vault of a temporary folder. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypt.h"
#include "tests/emulator/vault.h"

static struct vault *vault;
static char folder[] = "/tmp/vault-test-XXXXXX";
static char *sealed[2];
static const struct slice plain = SLICE_LITERAL("a data encryption key");

static void set_up(void)
{
	char material[32] = "0123456789abcdef0123456789abcde";

	cr_assert_eq(crypt_start(), ERR_OK);
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(vault_new(&vault, folder), ERR_OK);
	cr_assert_eq(vault_seal(vault, &sealed[0], slice_of(material, 32)), ERR_OK);
	cr_assert_eq(vault_seal(vault, &sealed[1], slice_of(material, 16)), ERR_OK);
}

static void tear_down(void)
{
	char path[64];

	free(sealed[0]);
	free(sealed[1]);
	vault_free(vault);
	snprintf(path, sizeof(path), "%s/seal.key", folder);
	unlink(path);
	rmdir(folder);
}

static char *wrap(size_t version, const char *aad_text)
{
	struct vault_version one = { version == 0 ? "v0" : "v1", sealed[version] };
	cJSON *aad = cJSON_Parse(aad_text);
	char *out = NULL;

	cr_assert_eq(vault_wrap(vault, &out, &one, aad, plain), ERR_OK);
	cJSON_Delete(aad);
	return out;
}

static enum err unwrap(const char *ciphertext, const char *aad_text, size_t *used)
{
	struct vault_version list[] = { { "v0", sealed[0] }, { "v1", sealed[1] } };
	struct vault_versions versions = { list, 2 };
	cJSON *aad = cJSON_Parse(aad_text);
	struct buf out;

	buf_init(&out, 4096);
	enum err err = vault_unwrap(vault, &out, used, &versions, aad, ciphertext);
	if (err == ERR_OK)
		cr_assert(slice_equal(buf_slice(&out), plain));
	else
		cr_assert_eq(buf_slice(&out).len, 0);
	buf_free(&out);
	cJSON_Delete(aad);
	return err;
}

TestSuite(vault, .init = set_up, .fini = tear_down);

Test(vault, what_is_wrapped_opens_with_the_version_that_made_it)
{
	for (size_t version = 0; version < 2; version++) {
		size_t used = 9;
		char *text = wrap(version, "[\"a\",\"b\"]");
		cr_assert_eq(unwrap(text, "[\"a\",\"b\"]", &used), ERR_OK);
		cr_assert_eq(used, version);
		free(text);
	}
}

Test(vault, the_shape_is_json_in_base64)
{
	char *text = wrap(0, "null");
	uint8_t bytes[1024];
	size_t len = 0;

	cr_assert_eq(text_unbase64(bytes, &len, slice_text(text)), ERR_OK);
	cJSON *shape = cJSON_ParseWithLength((char *) bytes, len);
	cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(shape, "version")), "4.0.0");
	cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(shape, "handle")), "v0");
	cr_assert_eq(strlen(cJSON_GetStringValue(cJSON_GetObjectItem(shape, "iv"))), 16);
	cJSON_Delete(shape);
	free(text);
}

Test(vault, aad_is_bound_in_order_and_by_item)
{
	size_t used = 0;
	char *text = wrap(0, "[\"ab\",\"c\"]");

	cr_assert_eq(unwrap(text, "[\"a\",\"bc\"]", &used), ERR_CRYPTO);
	cr_assert_eq(unwrap(text, "[\"c\",\"ab\"]", &used), ERR_CRYPTO);
	cr_assert_eq(unwrap(text, "[\"ab\"]", &used), ERR_CRYPTO);
	cr_assert_eq(unwrap(text, "null", &used), ERR_CRYPTO);
	free(text);
}

Test(vault, an_unknown_handle_is_tried_with_every_version)
{
	struct vault_version stranger = { "elsewhere", sealed[1] };
	char *text = NULL;
	size_t used = 9;

	cr_assert_eq(vault_wrap(vault, &text, &stranger, NULL, plain), ERR_OK);
	cr_assert_eq(unwrap(text, "null", &used), ERR_OK);
	cr_assert_eq(used, 1);
	free(text);
}

Test(vault, damaged_texts_do_not_open)
{
	static const char *const texts[] = { "", "AAEC", "!", "e30=", /* {} */
		"eyJoYW5kbGUiOiJ2MCJ9", /* handle alone */
		"eyJoYW5kbGUiOiJ2MCIsImNpcGhlcnRleHQiOiJBQT09IiwiaXYiOiJBQT09In0=" };
	size_t used = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_assert_neq(unwrap(texts[i], "null", &used), ERR_OK);
}

Test(vault, the_sealing_key_outlives_the_process)
{
	size_t used = 0;
	char *text = wrap(0, "null");

	vault_free(vault);
	cr_assert_eq(vault_new(&vault, folder), ERR_OK);
	cr_assert_eq(unwrap(text, "null", &used), ERR_OK);
	free(text);
}
