/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symmetric ciphers for clients that let the server encrypt: block modes, stream ciphers, AEAD and
 * key wrapping, all at once or in pieces. Only what OpenSSL's default provider has.
 */
#ifndef BASE_CIPHER_H
#define BASE_CIPHER_H

#include "base/buf.h"

enum { CIPHER_TAG_LEN_MAX = 16, CIPHER_NAME_LEN_MAX = 64 };

struct cipher;

struct cipher_options {
	const char *algorithm; /* OpenSSL's name: "AES-128-CBC", "AES-256-GCM", "AES-128-WRAP" */
	bool encrypt;
	bool pads; /* block modes: PKCS #5 padding; else whole blocks only */
	struct slice key, iv;
	/* AEAD only: */
	struct slice aad;
	size_t tag_len; /* of what is sealed */
	struct slice tag; /* of what is opened */
	size_t total_len; /* CCM must know the length beforehand; zero: all comes in one piece */
};

/* Bytes of key and IV, and whether it is an AEAD. ERR_FEATURE: not there. */
struct cipher_facts {
	size_t key_len, iv_len, block_len;
	bool is_aead, is_wrap, has_any_iv_len;
};
MUST_USE enum err cipher_facts(struct cipher_facts *out, const char *algorithm);

/* ERR_FEATURE: no such cipher; ERR_FIELD: key or IV have the wrong length; ERR_CRYPTO: a tag length
 * that the mode does not have. */
MUST_USE enum err cipher_new(struct cipher **out, const struct cipher_options *options);
/* Appends what the piece yields. ERR_FEATURE: a second one for key wrapping, CCM or XTS, which take
 * all in one; ERR_CRYPTO: not as long as was said, or it does not open. */
MUST_USE enum err cipher_update(struct cipher *cipher, struct buf *out, struct slice piece);
/* The end: padding is written or judged, a tag judged. ERR_FIELD: sealing something that is no
 * whole number of blocks without padding; ERR_CRYPTO: it does not open. */
MUST_USE enum err cipher_finish(struct cipher *cipher, struct buf *out);
/* After sealing: the tag of tag_len bytes. */
MUST_USE enum err cipher_tag(struct cipher *cipher, struct buf *out);
void cipher_free(struct cipher *cipher);

#endif
