/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <event2/event.h>
#include "base/log.h"
#include "base/openssl.h"
#include "base/rand.h"

struct secret {
	uint8_t *data; /* pages of its own */
	size_t len;
};

static size_t pages_len(size_t len)
{
	size_t page = (size_t) sysconf(_SC_PAGESIZE);

	return (len + page - 1) / page * page;
}

/* An unlocked key is better than a lost one: the limit of locked memory is an operator's setting.
 */
static void warn_unlocked(void)
{
	static atomic_flag warned = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&warned))
		log_warning("memory-not-locked",
			"effect=\"keys may be swapped out\" remedy=\"raise RLIMIT_MEMLOCK\"");
}

void *secret_pages_new(size_t len)
{
	void *pages;

	if (len == 0)
		len = 1;
	if (len > SIZE_MAX / 2)
		return NULL;
	len = pages_len(len);
	pages = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return NULL;
	(void) madvise(pages, len, MADV_DONTDUMP);
	if (mlock(pages, len) != 0)
		warn_unlocked();
	return pages;
}

void secret_pages_free(void *pages, size_t len)
{
	if (pages == NULL)
		return;
	len = pages_len(len == 0 ? 1 : len);
	secret_wipe(pages, len);
	(void) munmap(pages, len);
}

static enum err secret_alloc(struct secret **out, size_t len)
{
	struct secret *secret;

	*out = NULL;
	if (len > SECRET_LEN_MAX)
		return ERR_LIMIT;
	secret = calloc(1, sizeof(*secret));
	if (secret == NULL)
		return ERR_NOMEM;
	secret->data = secret_pages_new(len);
	if (secret->data == NULL) {
		free(secret);
		return ERR_NOMEM;
	}
	secret->len = len;
	*out = secret;
	return ERR_OK;
}

enum err secret_new(struct secret **out, struct slice bytes)
{
	enum err err;

	TRY(secret_alloc(out, bytes.len));
	bytes_copy((*out)->data, bytes.data, bytes.len);
out:
	return err;
}

enum err secret_random(struct secret **out, size_t len)
{
	enum err err;

	TRY(secret_alloc(out, len));
	rand_bytes((*out)->data, len);
out:
	return err;
}

void secret_free(struct secret *secret)
{
	if (secret == NULL)
		return;
	secret_pages_free(secret->data, secret->len);
	free(secret);
}

struct slice secret_slice(const struct secret *secret)
{
	return slice_of(secret->data, secret->len);
}

bool secret_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

void secret_wipe(void *data, size_t len)
{
	if (len > 0)
		explicit_bzero(data, len);
}

/* The allocators given to libraries: malloc's, with a wipe of all that malloc gave. */

static void wiping_free(void *data)
{
	if (data == NULL)
		return;
	secret_wipe(data, malloc_usable_size(data));
	free(data);
}

static void *wiping_realloc(void *data, size_t len)
{
	void *fresh;
	size_t old_len;

	if (data == NULL)
		return malloc(len);
	if (len == 0) {
		wiping_free(data);
		return NULL;
	}
	fresh = malloc(len);
	if (fresh == NULL)
		return NULL;
	old_len = malloc_usable_size(data);
	bytes_copy(fresh, data, old_len < len ? old_len : len);
	wiping_free(data);
	return fresh;
}

static void *openssl_malloc(size_t len, const char *file, int line)
{
	(void) file;
	(void) line;
	return malloc(len);
}

static void *openssl_realloc(void *data, size_t len, const char *file, int line)
{
	(void) file;
	(void) line;
	return wiping_realloc(data, len);
}

static void openssl_free(void *data, const char *file, int line)
{
	(void) file;
	(void) line;
	wiping_free(data);
}

bool secret_harden_process(void)
{
	struct rlimit no_core = { 0, 0 };
	cJSON_Hooks hooks = { malloc, wiping_free };

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0)
		return false;
	/* OpenSSL first: curl's own start already allocates with it. */
	if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1)
		return false;
	event_set_mem_functions(malloc, wiping_realloc, wiping_free);
	cJSON_InitHooks(&hooks);
	return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc,
		       strdup, calloc) == CURLE_OK;
}
