/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symmetric ciphers for clients that let the server encrypt: block modes, stream ciphers, AEAD and
 * key wrapping, all at once or in pieces. Only what OpenSSL's default provider has.
 */
#ifndef BASE_CIPHER_H
#define BASE_CIPHER_H

#include "base/buf.h"

enum {
	CIPHER_TAG_LEN_MAX = 16,
	CIPHER_NAME_LEN_MAX = 64,
	CIPHER_GATHERED_MAX = 4 * 1024 * 1024, /* ours: of what has to be held until the end */
};

struct cipher;

/* Of block modes; without one there are whole blocks only. */
enum cipher_padding {
	CIPHER_PADDING_NONE,
	CIPHER_PADDING_PKCS5,
	CIPHER_PADDING_X9_23,
	CIPHER_PADDING_ISO_10126
};

struct cipher_options {
	const char *algorithm; /* OpenSSL's name: "AES-128-CBC", "AES-256-GCM", "AES-128-WRAP" */
	bool encrypt;
	enum cipher_padding padding;
	struct slice key, iv;
	/* AEAD only: */
	struct slice aad;
	size_t tag_len; /* of what is sealed */
	struct slice tag; /* of what is opened */
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
/* Appends what the piece yields: nothing where all is needed first, for key wrapping, CCM and XTS,
 * for an AEAD that is opened, and for the paddings that are not OpenSSL's when they are taken off.
 * ERR_LIMIT: more of that than CIPHER_GATHERED_MAX. */
MUST_USE enum err cipher_update(struct cipher *cipher, struct buf *out, struct slice piece);
/* How much is held until the end. */
size_t cipher_held(const struct cipher *cipher);
/* The end: padding is written or judged, a tag judged. ERR_FIELD: sealing something that is no
 * whole number of blocks without padding; ERR_CRYPTO: it does not open, and what was appended is to
 * be thrown away. */
MUST_USE enum err cipher_finish(struct cipher *cipher, struct buf *out);
/* After sealing: the tag of tag_len bytes. */
MUST_USE enum err cipher_tag(struct cipher *cipher, struct buf *out);
void cipher_free(struct cipher *cipher);

#endif
