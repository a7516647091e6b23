/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fetched.h"
#include <openssl/provider.h>
#include <stdbool.h>
#include <string.h>

#define MODES(cipher, bits) \
	{ cipher "-" bits "-CBC", NULL }, { cipher "-" bits "-ECB", NULL }, \
		{ cipher "-" bits "-CFB", NULL }, { cipher "-" bits "-OFB", NULL }, \
	{ \
		cipher "-" bits "-CTR", NULL \
	}
#define AES(bits) \
	MODES("AES", bits), { "AES-" bits "-CCM", NULL }, { "AES-" bits "-GCM", NULL }, \
		{ "AES-" bits "-WRAP", NULL }, \
	{ \
		"AES-" bits "-WRAP-PAD", NULL \
	}
#define TRIPLE_DES(name) \
	{ name "-CBC", NULL }, { name "-ECB", NULL }, { name "-CFB", NULL }, \
	{ \
		name "-OFB", NULL \
	}

/* Constant after the start. What this build of OpenSSL lacks stays NULL. */
struct row {
	const char *name;
	void *algorithm;
};
static struct row ciphers[] = {
	AES("128"),
	AES("192"),
	AES("256"),
	{ "AES-128-XTS", NULL },
	{ "AES-256-XTS", NULL },
	MODES("CAMELLIA", "128"),
	MODES("CAMELLIA", "192"),
	MODES("CAMELLIA", "256"),
	TRIPLE_DES("DES-EDE"),
	TRIPLE_DES("DES-EDE3"),
	{ "ChaCha20", NULL },
	{ "ChaCha20-Poly1305", NULL },
};

static struct row hashes[] = {
	{ "MD5", NULL },
	{ "SHA1", NULL },
	{ "SHA224", NULL },
	{ "SHA256", NULL },
	{ "SHA384", NULL },
	{ "SHA512", NULL },
	{ "SHA512-224", NULL },
	{ "SHA512-256", NULL },
	{ "SHA3-224", NULL },
	{ "SHA3-256", NULL },
	{ "SHA3-384", NULL },
	{ "SHA3-512", NULL },
	{ "RIPEMD160", NULL },
};

static struct row macs[] = { { "HMAC", NULL }, { "CMAC", NULL }, { "GMAC", NULL },
	{ "POLY1305", NULL } };

static struct row kdfs[] = { { "PBKDF2", NULL }, { "KBKDF", NULL } };

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static bool is_started;

static void fetch_all(void)
{
	static const char only_default[] = "provider=default";

	/* TLS, keys, and what is fetched by name within OpenSSL ask for the same properties. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
		OSSL_PROVIDER_load(NULL, "default") == NULL ||
		EVP_set_default_properties(NULL, only_default) != 1)
		return;
	for (size_t i = 0; i < COUNT(ciphers); i++)
		ciphers[i].algorithm = EVP_CIPHER_fetch(NULL, ciphers[i].name, only_default);
	for (size_t i = 0; i < COUNT(hashes); i++)
		hashes[i].algorithm = EVP_MD_fetch(NULL, hashes[i].name, only_default);
	for (size_t i = 0; i < COUNT(macs); i++)
		macs[i].algorithm = EVP_MAC_fetch(NULL, macs[i].name, only_default);
	for (size_t i = 0; i < COUNT(kdfs); i++)
		kdfs[i].algorithm = EVP_KDF_fetch(NULL, kdfs[i].name, only_default);
	ERR_clear_error();
	is_started = true;
}

enum err fetched_start(void)
{
	static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

	if (CRYPTO_THREAD_run_once(&once, fetch_all) != 1)
		return ERR_CRYPTO;
	return is_started ? ERR_OK : ERR_CRYPTO;
}

static void *row_find(const struct row *rows, size_t count, const char *name)
{
	if (fetched_start() != ERR_OK)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].algorithm;
	}
	return NULL;
}

const EVP_CIPHER *fetched_cipher(const char *name)
{
	return row_find(ciphers, COUNT(ciphers), name);
}

const EVP_MD *fetched_hash(const char *name)
{
	return row_find(hashes, COUNT(hashes), name);
}

EVP_MAC *fetched_mac(const char *name)
{
	return row_find(macs, COUNT(macs), name);
}

EVP_KDF *fetched_kdf(const char *name)
{
	return row_find(kdfs, COUNT(kdfs), name);
}
