/* SPDX-License-Identifier: Apache-2.0 */
/* Shows that worker statistics survive the way to the keeper, and that a short or long body is
 * refused. */
#include <criterion/criterion.h>

#include "node/ipc.h"

Test(ipc, stats_round_trip)
{
	struct ipc_stats in = { 1, 2, 3, 4, 5, UINT64_MAX }, out = { 0 };
	struct buf buf;
	buf_init(&buf, 1024);
	cr_assert_eq(ipc_stats_encode(&buf, &in), ERR_OK);
	cr_assert_eq(ipc_stats_decode(&out, buf_slice(&buf)), ERR_OK);
	cr_assert_eq(out.connections, 1);
	cr_assert_eq(out.expired_clients, UINT64_MAX);
	buf_free(&buf);
}

Test(ipc, stats_of_wrong_length_are_refused)
{
	struct ipc_stats in = { 0 }, out;
	struct buf buf;
	buf_init(&buf, 1024);
	cr_assert_eq(ipc_stats_encode(&buf, &in), ERR_OK);
	struct slice whole = buf_slice(&buf);
	cr_assert_neq(ipc_stats_decode(&out, slice_cut(whole, 0, whole.len - 1)), ERR_OK);
	cr_assert_eq(buf_append_u8(&buf, 0), ERR_OK);
	cr_assert_neq(ipc_stats_decode(&out, buf_slice(&buf)), ERR_OK);
	buf_free(&buf);
}
