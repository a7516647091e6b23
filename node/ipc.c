/* SPDX-License-Identifier: Apache-2.0 */
#include "node/ipc.h"

enum err ipc_stats_encode(struct buf *out, const struct ipc_stats *stats)
{
	enum err err;
	const uint64_t values[] = { stats->connections, stats->accepted, stats->refused,
		stats->served, stats->forwarded, stats->expired_clients };
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		TRY(buf_append_be64(out, values[i]));
out:
	return err;
}

enum err ipc_stats_decode(struct ipc_stats *out, struct slice body)
{
	struct cursor cursor = cursor_of(body);
	uint64_t *values[] = { &out->connections, &out->accepted, &out->refused, &out->served,
		&out->forwarded, &out->expired_clients };
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		*values[i] = cursor_be64(&cursor);
	return cursor_end(&cursor);
}
