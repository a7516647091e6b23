/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/ledger_content.h"
#include "keystore/ledger_note.h"
#include "keystore/stamps.h"

enum { CONTENT_RECORDS_MAX = 256 };

static enum err content_decode(
	struct record **out, size_t *count, struct arena *arena, struct slice plain)
{
	struct record *records = arena_array(arena, CONTENT_RECORDS_MAX, sizeof(*records));
	struct cursor cursor = cursor_of(plain);
	enum err err = records == NULL ? ERR_NOMEM : ERR_OK;

	*count = 0;
	TRY(err);
	while (cursor.rest.len > 0 && !cursor.bad && *count < CONTENT_RECORDS_MAX)
		TRY(record_decode(
			&records[(*count)++], arena, cursor_bytes32(&cursor, RECORD_LEN_MAX)));
	TRY(cursor_end(&cursor) == ERR_OK ? ERR_OK : ERR_CORRUPT);
	*out = records;
out:
	return err;
}

enum err ledger_content_merge(
	struct ledger_content *content, struct cache_write *write, struct arena *arena)
{
	struct keystore_pending *flow = content->flow;
	struct ledger_note note = { .id = content->id,
		.instance = flow->instance->id,
		.crk = flow->instance->crks[content->crk].id };
	struct ledger_note before;
	struct record *records;
	size_t count;
	enum err err;

	TRY(content_decode(&records, &count, arena, content->plain));
	content->is_new =
		ledger_note_get(&before, cache_write_read(write), &content->id) == ERR_MISS;
	for (size_t i = 0; i < count; i++) {
		stamps_see(flow->keystore, &records[i]);
		TRY(flow_put(flow, write, arena, &records[i]));
	}
	TRY(ledger_note_put(write, arena, &note, content->plain));
out:
	return err;
}
