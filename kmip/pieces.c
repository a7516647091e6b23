/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/pieces.h"
#include <stdlib.h>
#include "kmip/streams.h"
#include "kmip/using.h"

enum { OUT_SLACK = PKEY_LEN_MAX }; /* a signature, the last block, a tag */

static struct stream_owner owner_of(const struct kmip_item *item, const struct pieces *pieces)
{
	return (struct stream_owner){ .instance = item->identity->instance,
		.client = item->identity->client,
		.operation = pieces->operation };
}

/* What goes on has begun, and what ends without having begun is said to do both. */
static enum err judge_indicators(const struct pieces *pieces)
{
	bool goes_on = pieces->correlation_value.data != NULL;

	if (goes_on)
		return pieces->init || pieces->has_first_only ? ERR_FIELD : ERR_OK;
	return pieces->final && !pieces->init ? ERR_FIELD : ERR_OK;
}

/* Neither begins nor continues something; or both at once. */
static bool is_whole(const struct pieces *pieces)
{
	return pieces->correlation_value.data == NULL && pieces->init == pieces->final;
}

static bool protects(const struct pieces *pieces)
{
	return pieces->operation == KMIP_OPERATION_ENCRYPT ||
	       pieces->operation == KMIP_OPERATION_SIGN || pieces->operation == KMIP_OPERATION_MAC;
}

/* A key that was taken away or used up meanwhile does not go on. Judged before the stream is taken,
 * so that neither a fetch nor a refusal ends it. */
static enum err pieces_judge(
	struct kmip_item *item, const struct pieces *pieces, const struct stream_owner *owner)
{
	static const struct uid none;
	struct object *object;
	struct uid uid, named;
	enum err err;

	TRY(streams_uid(item->streams, owner, pieces->correlation_value, &uid));
	item->subject = (struct kmip_placeholder){ .has = true, .uid = uid };
	if (pieces->uid.data != NULL &&
		(uid_parse(&named, pieces->uid) != ERR_OK || !uid_equal(&named, &uid)))
		TRY(ERR_FIELD);
	if (uid_equal(&uid, &none))
		return ERR_OK;
	TRY(using_again(item, &uid, protects(pieces), &object));
	if (protects(pieces))
		TRY(using_charge_more(item, object, pieces->data.len));
out:
	return err;
}

/* What is under way lives in the keeper: a worker hands the frame on. */
static enum err pieces_open(struct kmip_item *item, struct pieces *pieces, struct run **out)
{
	struct stream_owner owner = owner_of(item, pieces);
	enum err err;

	if (pieces->correlation_value.data != NULL) {
		TRY(item->streams == NULL ? ERR_AGAIN : ERR_OK);
		TRY(pieces_judge(item, pieces, &owner));
		return streams_take(item->streams, &owner, pieces->correlation_value, out);
	}
	if (!is_whole(pieces) && item->streams == NULL)
		return ERR_AGAIN;
	*out = calloc(1, sizeof(**out));
	TRY(*out == NULL ? ERR_NOMEM : ERR_OK);
	TRY(pieces->begin(item, *out));
	if (item->subject.has)
		(*out)->uid = item->subject.uid;
out:
	return err;
}

static enum err pieces_keep(struct kmip_item *item, struct slice *to, const struct buf *from)
{
	struct slice bytes = buf_slice(from);

	*to = arena_copy(item->arena, bytes);
	return to->data == NULL ? ERR_NOMEM : ERR_OK;
}

static enum err pieces_update(
	struct kmip_item *item, const struct pieces *pieces, struct run *run, struct buf *out)
{
	enum err err = run_update(run, pieces->data, out);

	if (err != ERR_LIMIT)
		return err;
	item->complaint = slice_text("This is more than can be held until the last piece");
	return ERR_FIELD;
}

/* The run goes back among the streams, or has ended. */
static enum err pieces_close(struct kmip_item *item, struct pieces *pieces, struct run *run)
{
	struct stream_owner owner = owner_of(item, pieces);
	uint8_t id[STREAM_ID_LEN];
	enum err err;

	if (pieces->is_done) {
		run_free(run);
		return ERR_OK;
	}
	TRY(streams_put(item->streams, &owner, run, id));
	pieces->next = arena_copy(item->arena, slice_of(id, sizeof(id)));
	TRY(pieces->next.data == NULL ? ERR_NOMEM : ERR_OK);
out:
	return err;
}

static enum err pieces_expect(const struct pieces *pieces, struct run *run)
{
	enum err err = ERR_OK;

	if (pieces->expected.len > 0) {
		TRY(run->expected != NULL ? ERR_FIELD : ERR_OK);
		TRY(secret_new(&run->expected, pieces->expected));
	}
	if (pieces->verifies && pieces->is_done && run->expected == NULL)
		err = ERR_MESSAGE;
out:
	return err;
}

enum err pieces_run(struct kmip_item *item, struct pieces *pieces)
{
	struct run *run = NULL;
	struct buf out, tag;
	enum err err;

	buf_init(&out, CIPHER_GATHERED_MAX + pieces->data.len + OUT_SLACK);
	buf_init(&tag, CIPHER_TAG_LEN_MAX);
	TRY(judge_indicators(pieces));
	pieces->is_done = pieces->final || is_whole(pieces);
	if (is_whole(pieces) && pieces->data.data == NULL)
		TRY(ERR_MESSAGE); /* only a piece may be without */
	TRY(pieces_open(item, pieces, &run));
	TRY(pieces_expect(pieces, run));
	TRY(pieces_update(item, pieces, run, &out));
	if (pieces->is_done)
		TRY(run_finish(run, &out, &tag, &pieces->is_valid));
	/* Nothing is said of nothing, but to one who asked for all at once. */
	if (buf_slice(&out).len > 0 || is_whole(pieces))
		TRY(pieces_keep(item, &pieces->out, &out));
	if (buf_slice(&tag).len > 0)
		TRY(pieces_keep(item, &pieces->tag, &tag));
	err = pieces_close(item, pieces, run);
	run = NULL;
out:
	run_free(run);
	buf_free(&out);
	buf_free(&tag);
	return err;
}
