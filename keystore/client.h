/* SPDX-License-Identifier: Apache-2.0 */
/* A client registration (design D24): a certificate's fingerprint, installed in exactly one
 * instance. */
#ifndef KEYSTORE_CLIENT_H
#define KEYSTORE_CLIENT_H

#include "keystore/ids.h"
#include "keystore/stamp.h"

enum { CLIENT_NAME_LEN_MAX = 63 };

/* One last-writer-wins register, tombstone included (equal stamps: removed wins, then the greater
 * encoding). */
struct client {
	struct fingerprint fingerprint;
	struct instance_id instance;
	char name[CLIENT_NAME_LEN_MAX + 1]; /* the operator's word for it; UTF-8 */
	int64_t added_at; /* seconds */
	int64_t not_after; /* of the certificate */
	bool removed;
	struct stamp written;
};

#endif
