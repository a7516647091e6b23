/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a chain of certificates holds at some moment, and whether it ends at somebody trusted. */
#ifndef BASE_X509_CHAIN_H
#define BASE_X509_CHAIN_H

#include "base/err.h"
#include "base/slice.h"

struct x509_authority;

enum x509_verdict {
	X509_VALID,
	X509_INVALID, /* a signature, a date, a constraint does not hold */
	X509_UNKNOWN, /* nothing is wrong, but nobody who is trusted vouches for it */
};

struct x509_member {
	struct slice der;
	bool is_anchor; /* trusted, when it is self-signed as well */
};

struct x509_chain {
	const struct x509_member *members; /* in any order */
	size_t count;
	const struct x509_authority *authority; /* an anchor beside them; may be NULL */
	int64_t date; /* seconds */
};
/* ERR_INVALID: a member is no certificate; ERR_MESSAGE: they are not one chain. Takes up to
 * milliseconds for each member. */
MUST_USE enum err x509_chain_judge(enum x509_verdict *out, const struct x509_chain *chain);

#endif
