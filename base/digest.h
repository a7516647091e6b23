/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes and message authentication codes of many algorithms, all at once or in pieces; and the
 * keys derived by them. SHA-256 for our own purposes is in crypt.h. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/buf.h"

enum { DIGEST_LEN_MAX = 64, DIGEST_ITERATIONS_MAX = 10000000 };

struct digest;

/* "SHA256", "SHA3-512"; ERR_FEATURE: not there. */
MUST_USE enum err digest_new(struct digest **out, const char *hash);

struct digest_mac {
	const char *hash; /* HMAC with that hash; or NULL */
	const char *cipher; /* CMAC or GMAC with that cipher: "AES-128-CBC", "AES-128-GCM"; or NULL:
			       without a hash, too, Poly1305 */
	struct slice key;
	struct slice iv; /* GMAC */
};
/* ERR_FEATURE; ERR_FIELD: a key or IV that does not fit. */
MUST_USE enum err digest_new_mac(struct digest **out, const struct digest_mac *mac);

MUST_USE enum err digest_update(struct digest *digest, struct slice piece);
/* Appends the result; nothing may follow but digest_free. */
MUST_USE enum err digest_finish(struct digest *digest, struct buf *out);
void digest_free(struct digest *digest);

/* Keys of `len` bytes from a secret: PBKDF2 (SP 800-132), and the constructions of SP 800-108 with
 * HMAC. */
struct digest_pbkdf2 {
	const char *hash;
	struct slice secret, salt;
	uint32_t iterations; /* times blocks of the hash's length, at most DIGEST_ITERATIONS_MAX:
				ERR_FIELD */
};
MUST_USE enum err digest_pbkdf2(struct buf *out, size_t len, const struct digest_pbkdf2 *options);

struct digest_kbkdf {
	const char *hash;
	const char *mode; /* "counter", "feedback" or "pipeline" */
	struct slice secret, label_and_context, iv;
};
MUST_USE enum err digest_kbkdf(struct buf *out, size_t len, const struct digest_kbkdf *options);

#endif
