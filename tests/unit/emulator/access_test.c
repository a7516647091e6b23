/* SPDX-License-Identifier: Apache-2.0 */
/* Shows that tokens are valid for their time and their maker only, and that roles decide: makes
 * tokens at chosen times and reads them back. */
#include <criterion/criterion.h>

#include "base/crypt.h"
#include "tests/emulator/access.h"

static const struct access_term term = { .now = 1000, .life_s = 100 };
static struct access_look at_end = { .now = 1100 }, in_time = { .now = 1000 };

static struct access access_of(const char *definition)
{
	struct access access = { .token_key = { 1 } };

	cr_assert_eq(crypt_start(), ERR_OK);
	cr_assert_eq(access_add(&access, definition, false), ERR_OK);
	return access;
}

Test(access, a_token_lives_its_time)
{
	struct access_look last = { .now = 1099 };
	struct access access = access_of("k=Manager");
	struct buf token;

	buf_init(&token, 4096);
	cr_assert_eq(access_token(&access, &token, &access.users[0], &term), ERR_OK);
	cr_assert_eq(access_by_token(&access, buf_slice(&token), &last), &access.users[0]);
	cr_assert_not(last.expired);
	cr_assert_null(access_by_token(&access, buf_slice(&token), &at_end));
	cr_assert(at_end.expired);
	access.token_key[0] = 2;
	cr_assert_null(access_by_token(&access, buf_slice(&token), &at_end));
	cr_assert_not(at_end.expired, "a forged token is not merely expired");
	buf_free(&token);
	access_free(&access);
}

Test(access, any_changed_byte_spoils_a_token)
{
	struct access access = access_of("k=Manager");
	struct buf token;

	buf_init(&token, 4096);
	cr_assert_eq(access_token(&access, &token, &access.users[0], &term), ERR_OK);
	for (size_t i = 0; i < token.len; i++) {
		token.data[token.start + i] ^= 1;
		cr_assert_null(access_by_token(&access, buf_slice(&token), &in_time));
		token.data[token.start + i] ^= 1;
		cr_assert_null(
			access_by_token(&access, slice_cut(buf_slice(&token), 0, i), &in_time));
	}
	buf_free(&token);
	access_free(&access);
}

Test(access, roles_decide)
{
	struct access access = access_of("k=Writer,KeyPurge");
	const struct access_user *user = access_by_api_key(&access, slice_text("k"));

	cr_assert(access_allows(user, ACTION_CREATE));
	cr_assert(access_allows(user, ACTION_PURGE));
	cr_assert_not(access_allows(user, ACTION_DELETE));
	cr_assert_null(access_by_api_key(&access, slice_text("kk")));
	access_free(&access);
}

Test(access, definitions_are_judged)
{
	struct access access = { 0 };

	cr_assert_eq(access_add(&access, "k", false), ERR_CONFIG);
	cr_assert_eq(access_add(&access, "=Reader", false), ERR_CONFIG);
	cr_assert_eq(access_add(&access, "k=Reader,King", false), ERR_CONFIG);
	cr_assert_eq(access.user_count, 0);
}

/* Given a refresh token and a profile, then neither opens what the other does. */
Test(access, tokens_and_names_have_one_use)
{
	struct access access = access_of("k=Manager");
	struct access_term refresh = { .now = 1000, .life_s = 100, .use = TOKEN_REFRESH };
	struct access_look as_refresh = { .now = 1000, .use = TOKEN_REFRESH };
	struct buf token;

	cr_assert_eq(access_add(&access, "p=Reader", true), ERR_OK);
	cr_assert_null(access_by_api_key(&access, slice_text("p")));
	cr_assert_null(access_by_profile(&access, slice_text("k")));
	cr_assert_eq(access_by_profile(&access, slice_text("p")), &access.users[1]);
	cr_assert_eq(access_by_profile(&access, slice_text(access.users[1].id)), &access.users[1]);
	buf_init(&token, 4096);
	cr_assert_eq(access_token(&access, &token, &access.users[0], &refresh), ERR_OK);
	cr_assert_null(access_by_token(&access, buf_slice(&token), &in_time));
	cr_assert_eq(access_by_token(&access, buf_slice(&token), &as_refresh), &access.users[0]);
	buf_free(&token);
	access_free(&access);
}
