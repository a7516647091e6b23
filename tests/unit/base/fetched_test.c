/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows that algorithms come from OpenSSL's default provider alone, also where the machine's
 * openssl.cnf loads another one (which it does where nobody forbids it), and that all that is
 * served is fetched at once.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/fetched.h"
#include <openssl/provider.h>

static char path[] = "/tmp/fetched-test-XXXXXX";

/* A configuration that loads the legacy provider, in force for what comes. */
static void name_other_providers(void)
{
	static const char text[] = "openssl_conf = start\n"
				   "[start]\nproviders = both\n"
				   "[both]\ndefault = on\nlegacy = on\n"
				   "[on]\nactivate = 1\n";
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, text, sizeof(text) - 1), (ssize_t) sizeof(text) - 1);
	close(fd);
	cr_assert_eq(setenv("OPENSSL_CONF", path, 1), 0);
}

static void take_away(void)
{
	unlink(path);
}

/* What the next test relies on. */
Test(fetched, a_configuration_loads_providers, .init = name_other_providers, .fini = take_away)
{
	EVP_MD *hash;

	if (access("/usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so", R_OK) != 0)
		cr_skip("no legacy provider here");
	hash = EVP_MD_fetch(NULL, "MD4", NULL);
	cr_assert_not_null(hash);
	EVP_MD_free(hash);
}

Test(fetched, only_the_default_provider, .init = name_other_providers, .fini = take_away)
{
	EVP_KEYMGMT *keys;

	cr_assert_eq(fetched_start(), ERR_OK);
	cr_assert_not(OSSL_PROVIDER_available(NULL, "legacy"));
	cr_assert_null(EVP_MD_fetch(NULL, "MD4", NULL));
	cr_assert_null(EVP_CIPHER_fetch(NULL, "BF-CBC", NULL));
	cr_assert_str_eq(
		OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(fetched_cipher("AES-256-GCM"))),
		"default");
	keys = EVP_KEYMGMT_fetch(NULL, "RSA", NULL);
	cr_assert_not_null(keys);
	cr_assert_str_eq(OSSL_PROVIDER_get0_name(EVP_KEYMGMT_get0_provider(keys)), "default");
	EVP_KEYMGMT_free(keys);
	/* Also a provider that is loaded later on is not asked. */
	OSSL_PROVIDER_load(NULL, "legacy");
	cr_assert_null(EVP_MD_fetch(NULL, "MD4", NULL));
}

Test(fetched, what_is_served)
{
	static const char *const ciphers[] = { "AES-128-CBC", "AES-192-CTR", "AES-256-XTS",
		"AES-256-CCM", "AES-192-WRAP-PAD", "AES-256-WRAP", "CAMELLIA-256-OFB",
		"CAMELLIA-128-ECB", "DES-EDE-CBC", "DES-EDE3-CFB", "DES-EDE-ECB", "DES-EDE3-ECB",
		"ChaCha20", "ChaCha20-Poly1305" };
	static const char *const hashes[] = { "MD5", "SHA1", "SHA512-224", "SHA3-512",
		"RIPEMD160" };

	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		cr_assert_not_null(fetched_cipher(ciphers[i]), "%s", ciphers[i]);
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		cr_assert_not_null(fetched_hash(hashes[i]), "%s", hashes[i]);
	cr_assert_not_null(fetched_mac("HMAC"));
	cr_assert_not_null(fetched_mac("CMAC"));
	cr_assert_not_null(fetched_mac("GMAC"));
	cr_assert_not_null(fetched_kdf("PBKDF2"));
	cr_assert_not_null(fetched_kdf("KBKDF"));
	cr_assert_eq(fetched_cipher("AES-256-GCM"), fetched_cipher("AES-256-GCM"));
	cr_assert_null(fetched_cipher("DES-CBC"));
	cr_assert_null(fetched_hash("MD4"));
	cr_assert_null(fetched_mac("SIPHASH"));
	cr_assert_null(fetched_kdf("SCRYPT"));
}
