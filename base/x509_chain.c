/* SPDX-License-Identifier: Apache-2.0 */
#include "base/x509_chain.h"
#include <time.h>
#include "base/pkey_private.h"
#include "base/x509_private.h"

struct reading {
	STACK_OF(X509) * all; /* each once */
	X509_STORE *anchors;
	X509 *leaf; /* of `all` */
};

/* ---- reading ---- */

static bool is_listed(STACK_OF(X509) * all, const X509 *certificate)
{
	for (int i = 0; i < sk_X509_num(all); i++) {
		if (X509_cmp(sk_X509_value(all, i), certificate) == 0)
			return true;
	}
	return false;
}

static enum err read_member(struct reading *reading, const struct x509_member *member)
{
	const unsigned char *data = member->der.data;
	X509 *certificate = d2i_X509(NULL, &data, (long) member->der.len);
	enum err err = ERR_OK;

	if (certificate == NULL || data != member->der.data + member->der.len)
		TRY(ERR_INVALID);
	if (member->is_anchor && X509_self_signed(certificate, 1) == 1 &&
		X509_STORE_add_cert(reading->anchors, certificate) != 1)
		TRY(ERR_NOMEM);
	if (is_listed(reading->all, certificate))
		goto out;
	TRY(sk_X509_push(reading->all, certificate) > 0 ? ERR_OK : ERR_NOMEM);
	certificate = NULL;
out:
	X509_free(certificate);
	return err;
}

static bool has_issued_another(STACK_OF(X509) * all, int at)
{
	for (int i = 0; i < sk_X509_num(all); i++) {
		if (i != at && X509_check_issued(sk_X509_value(all, at), sk_X509_value(all, i)) ==
				       X509_V_OK)
			return true;
	}
	return false;
}

/* A chain has one end: the certificate that issued no other. */
static enum err find_leaf(struct reading *reading)
{
	for (int i = 0; i < sk_X509_num(reading->all); i++) {
		if (has_issued_another(reading->all, i))
			continue;
		if (reading->leaf != NULL)
			return ERR_MESSAGE;
		reading->leaf = sk_X509_value(reading->all, i);
	}
	return reading->leaf == NULL ? ERR_MESSAGE : ERR_OK;
}

static enum err read_chain(struct reading *reading, const struct x509_chain *chain)
{
	enum err err;

	reading->all = sk_X509_new_null();
	reading->anchors = X509_STORE_new();
	TRY(reading->all == NULL || reading->anchors == NULL ? ERR_NOMEM : ERR_OK);
	for (size_t i = 0; i < chain->count; i++)
		TRY(read_member(reading, &chain->members[i]));
	if (chain->authority != NULL && X509_STORE_add_cert(reading->anchors,
						x509_authority_certificate(chain->authority)) != 1)
		TRY(ERR_NOMEM);
	TRY(find_leaf(reading));
out:
	return err;
}

/* ---- judging ---- */

static bool is_missing_trust(int error)
{
	switch (error) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
		return true;
	default:
		return false;
	}
}

/* Goes on behind every complaint: what is wrong weighs more than that trust is missing. */
static int on_complaint(int is_good, X509_STORE_CTX *context)
{
	enum x509_verdict *verdict = X509_STORE_CTX_get_app_data(context);

	if (is_good)
		return 1;
	if (!is_missing_trust(X509_STORE_CTX_get_error(context)))
		*verdict = X509_INVALID;
	else if (*verdict == X509_VALID)
		*verdict = X509_UNKNOWN;
	return 1;
}

static enum err judge(
	enum x509_verdict *out, const struct reading *reading, const struct x509_chain *chain)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	enum err err = context == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	if (X509_STORE_CTX_init(context, reading->anchors, reading->leaf, reading->all) != 1)
		TRY(ERR_NOMEM);
	*out = X509_VALID;
	X509_STORE_CTX_set_app_data(context, out);
	X509_STORE_CTX_set_verify_cb(context, on_complaint);
	X509_STORE_CTX_set_time(context, 0, (time_t) chain->date);
	X509_STORE_CTX_set_flags(context, X509_V_FLAG_PARTIAL_CHAIN);
	/* The callback has heard of everything; what is left is trouble of ours. */
	if (X509_verify_cert(context) <= 0)
		*out = X509_INVALID;
out:
	X509_STORE_CTX_free(context);
	return err;
}

enum err x509_chain_judge(enum x509_verdict *out, const struct x509_chain *chain)
{
	struct reading reading = { 0 };
	enum err err;

	TRY(read_chain(&reading, chain));
	TRY(judge(out, &reading, chain));
out:
	sk_X509_pop_free(reading.all, X509_free);
	X509_STORE_free(reading.anchors);
	return pkey_failed(err);
}
