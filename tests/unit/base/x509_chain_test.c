/* SPDX-License-Identifier: Apache-2.0 */
/* A chain is valid when every signature, date and constraint holds and it ends at an anchor;
 * unknown without one; invalid when anything is wrong, also without one. */
#include <criterion/criterion.h>
#include "authority.h"
#include "base/x509_chain.h"

enum { MEMBERS_MAX = 4 };

static const long year[] = { -86400, 365L * 86400 }, past[] = { -86400, -3600 };

struct chain {
	struct test_authority root, middle; /* files are the root's only */
	uint8_t bytes[MEMBERS_MAX][TEST_DER_MAX];
	struct x509_member members[MEMBERS_MAX];
	struct x509_chain chain;
};

static void add(struct chain *chain, const X509 *certificate, bool is_anchor)
{
	size_t at = chain->chain.count++;
	unsigned char *data = chain->bytes[at];
	int len = i2d_X509(certificate, &data);

	cr_assert(len > 0 && len < TEST_DER_MAX);
	chain->members[at] =
		(struct x509_member){ slice_of(chain->bytes[at], (size_t) len), is_anchor };
}

static void add_leaf(struct chain *chain, const struct test_authority *issuer, const long dates[2])
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *leaf = test_certificate(key, "leaf", issuer, dates, NULL);

	add(chain, leaf, false);
	X509_free(leaf);
	EVP_PKEY_free(key);
}

static void start(struct chain *chain, const char *constraints)
{
	*chain = (struct chain){ .chain = { .date = time(NULL) } };
	chain->chain.members = chain->members;
	test_authority_make(&chain->root);
	chain->middle.key = EVP_EC_gen("P-256");
	chain->middle.certificate =
		test_certificate(chain->middle.key, "middle", &chain->root, year, constraints);
}

static void stop(struct chain *chain)
{
	test_authority_remove(&chain->root);
	EVP_PKEY_free(chain->middle.key);
	X509_free(chain->middle.certificate);
}

static enum x509_verdict verdict(struct chain *chain)
{
	enum x509_verdict out = X509_UNKNOWN;

	cr_assert_eq(x509_chain_judge(&out, &chain->chain), ERR_OK);
	return out;
}

Test(x509_chain, anchors)
{
	struct chain chain;
	char why[X509_WHY_MAX];
	struct x509_authority *authority;

	start(&chain, "CA:TRUE");
	add_leaf(&chain, &chain.middle, year);
	cr_assert_eq(verdict(&chain), X509_UNKNOWN);
	/* Not self-signed: holding it makes it no anchor. */
	add(&chain, chain.middle.certificate, true);
	cr_assert_eq(verdict(&chain), X509_UNKNOWN);
	cr_assert_eq(
		x509_authority_new(&authority,
			&(struct x509_authority_files){ chain.root.cert_file, chain.root.key_file },
			why),
		ERR_OK);
	chain.chain.authority = authority;
	cr_assert_eq(verdict(&chain), X509_VALID);
	chain.chain.authority = NULL;
	x509_authority_free(authority);
	add(&chain, chain.root.certificate, false);
	cr_assert_eq(verdict(&chain), X509_UNKNOWN);
	chain.members[2].is_anchor = true;
	cr_assert_eq(verdict(&chain), X509_VALID);
	/* Twice is once. */
	add(&chain, chain.root.certificate, false);
	cr_assert_eq(verdict(&chain), X509_VALID);
	stop(&chain);
}

Test(x509_chain, what_is_wrong)
{
	static const char *const constraints[] = { "CA:TRUE", "CA:FALSE" };
	static const long *const dates[] = { year, past };

	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < 2; j++) {
			bool is_good = i == 0 && j == 0;
			struct chain chain;

			start(&chain, constraints[i]);
			add(&chain, chain.root.certificate, true);
			add(&chain, chain.middle.certificate, false);
			add_leaf(&chain, &chain.middle, dates[j]);
			cr_assert_eq(verdict(&chain), is_good ? X509_VALID : X509_INVALID);
			/* Nobody vouches for it, but it is wrong all the same. */
			chain.members[0].is_anchor = false;
			cr_assert_eq(verdict(&chain), is_good ? X509_UNKNOWN : X509_INVALID);
			chain.members[0].is_anchor = true;
			/* The last byte is the signature's. */
			chain.bytes[2][chain.members[2].der.len - 1] ^= 1;
			cr_assert_eq(verdict(&chain), X509_INVALID);
			stop(&chain);
		}
	}
}

Test(x509_chain, date)
{
	struct chain chain;

	start(&chain, "CA:TRUE");
	add(&chain, chain.root.certificate, true);
	add_leaf(&chain, &chain.root, past);
	cr_assert_eq(verdict(&chain), X509_INVALID);
	chain.chain.date -= 7200;
	cr_assert_eq(verdict(&chain), X509_VALID);
	chain.chain.date -= 86400;
	cr_assert_eq(verdict(&chain), X509_INVALID);
	stop(&chain);
}

Test(x509_chain, no_chain)
{
	struct chain chain;
	enum x509_verdict out;

	start(&chain, "CA:TRUE");
	cr_assert_eq(x509_chain_judge(&out, &chain.chain), ERR_MESSAGE);
	add_leaf(&chain, &chain.middle, year);
	add_leaf(&chain, &chain.middle, year);
	cr_assert_eq(x509_chain_judge(&out, &chain.chain), ERR_MESSAGE);
	chain.chain.count = 1;
	for (size_t len = 0; len < chain.members[0].der.len; len += 7) {
		struct x509_member cut = { slice_of(chain.bytes[0], len), true };

		cr_assert_eq(
			x509_chain_judge(&out, &(struct x509_chain){ .members = &cut, .count = 1 }),
			ERR_INVALID);
	}
	chain.members[0].der.len++;
	cr_assert_eq(x509_chain_judge(&out, &chain.chain), ERR_INVALID);
	stop(&chain);
}
