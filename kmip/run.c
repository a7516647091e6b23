/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/run.h"
#include <stdlib.h>

enum err run_update(struct run *run, struct slice piece, struct buf *out)
{
	return run->cipher != NULL ? cipher_update(run->cipher, out, piece)
				   : digest_update(run->digest, piece);
}

enum err run_finish(struct run *run, struct buf *out, struct buf *tag)
{
	enum err err;

	if (run->digest != NULL)
		return digest_finish(run->digest, out);
	TRY(cipher_finish(run->cipher, out));
	if (run->seals)
		TRY(cipher_tag(run->cipher, run->joins_tag ? out : tag));
out:
	return err;
}

void run_free(struct run *run)
{
	if (run == NULL)
		return;
	cipher_free(run->cipher);
	digest_free(run->digest);
	secret_free(run->expected);
	free(run);
}
