/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/run.h"
#include <stdlib.h>

static enum err pad_update(struct run_pad *pad, struct slice piece, struct buf *out)
{
	struct slice bytes = secret_slice(pad->bytes);
	uint8_t *to;
	enum err err = piece.len > bytes.len - pad->used ? ERR_FIELD : ERR_OK;

	TRY(err);
	TRY(buf_reserve(out, piece.len, &to));
	for (size_t i = 0; i < piece.len; i++)
		to[i] = piece.data[i] ^ bytes.data[pad->used + i];
	buf_commit(out, piece.len);
	pad->used += piece.len;
out:
	return err;
}

enum err run_update(struct run *run, struct slice piece, struct buf *out)
{
	if (run->whole != NULL)
		return buf_append(&run->whole->in, piece);
	if (run->pad != NULL)
		return pad_update(run->pad, piece, out);
	if (run->cipher != NULL)
		return cipher_update(run->cipher, out, piece);
	return run->signing != NULL ? pkey_signing_update(run->signing, piece)
				    : digest_update(run->digest, piece);
}

size_t run_held(const struct run *run)
{
	if (run->whole != NULL)
		return buf_slice(&run->whole->in).len;
	return run->cipher != NULL ? cipher_held(run->cipher) : 0;
}

static enum err finish_digest(struct run *run, struct buf *out, bool *is_valid)
{
	enum err err;

	TRY(digest_finish(run->digest, out));
	if (run->expected != NULL) {
		*is_valid = secret_equal(buf_slice(out), secret_slice(run->expected));
		buf_clear(out);
	}
out:
	return err;
}

static enum err finish_whole(struct run_whole *whole, struct buf *out)
{
	struct slice in = buf_slice(&whole->in);

	if (whole->label != NULL)
		whole->use.label = secret_slice(whole->label);
	return whole->encrypts ? pkey_encrypt(out, whole->key, &whole->use, in)
			       : pkey_decrypt(out, whole->key, &whole->use, in);
}

enum err run_finish(struct run *run, struct buf *out, struct buf *tag, bool *is_valid)
{
	enum err err;

	if (run->whole != NULL)
		return finish_whole(run->whole, out);
	if (run->pad != NULL)
		return ERR_OK;
	if (run->digest != NULL)
		return finish_digest(run, out, is_valid);
	if (run->signing != NULL)
		return run->expected == NULL ? pkey_signing_finish(run->signing, out)
					     : pkey_signing_verify(run->signing,
						       secret_slice(run->expected), is_valid);
	TRY(cipher_finish(run->cipher, out));
	if (run->seals)
		TRY(cipher_tag(run->cipher, run->joins_tag ? out : tag));
out:
	return err;
}

static void whole_free(struct run_whole *whole)
{
	if (whole == NULL)
		return;
	pkey_free(whole->key);
	secret_free(whole->label);
	buf_free(&whole->in);
	free(whole);
}

static void pad_free(struct run_pad *pad)
{
	if (pad == NULL)
		return;
	secret_free(pad->bytes);
	free(pad);
}

void run_clear(struct run *run)
{
	pad_free(run->pad);
	whole_free(run->whole);
	cipher_free(run->cipher);
	digest_free(run->digest);
	pkey_signing_free(run->signing);
	secret_free(run->expected);
}

void run_free(struct run *run)
{
	if (run == NULL)
		return;
	run_clear(run);
	free(run);
}
