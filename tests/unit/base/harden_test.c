/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hardened process leaves no core and still works with the four libraries. A program of its own,
 * since hardening wants to come before any use of OpenSSL, and Criterion has used it already.
 */
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include "base/crypt.h"
#include "base/loop.h"
#include "base/openssl.h"
#include "base/secret.h"

int main(void)
{
	uint8_t digest[CRYPT_SHA256_LEN];
	struct rlimit core;
	struct loop *loop;
	char *text;

	ASSERT(secret_harden_process());
	ASSERT(prctl(PR_GET_DUMPABLE) == 0);
	ASSERT(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
	ASSERT(crypt_sha256(digest, SLICE_LITERAL("abc")) == ERR_OK);
	cJSON *json = cJSON_Parse("{\"a\":[1,2,\"three\"]}");
	ASSERT(json != NULL);
	text = cJSON_Print(json);
	ASSERT(text != NULL);
	cJSON_free(text);
	cJSON_Delete(json);
	text = OPENSSL_strdup("grows");
	text = OPENSSL_realloc(text, 10000);
	ASSERT(text != NULL && slice_equal_text(slice_text(text), "grows"));
	OPENSSL_free(text);
	CURL *curl = curl_easy_init();
	ASSERT(curl != NULL);
	curl_easy_cleanup(curl);
	ASSERT(loop_new(&loop) == ERR_OK);
	loop_free(loop);
	return EXIT_SUCCESS;
}
