/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a standard key of ours holds (design D8, D9, D10): magic, version, kind, instance id, record
 * nonce, the ciphertext that the CRK unwraps, sealed bytes, and for objects the attributes given at
 * Create. Pure format: no calls. The byte layout is in README.md.
 */
#ifndef KEYSTORE_ENVELOPE_H
#define KEYSTORE_ENVELOPE_H

#include "base/arena.h"
#include "base/buf.h"
#include "keystore/object.h"

enum envelope_kind { ENVELOPE_OBJECT = 1, ENVELOPE_LEDGER = 2 };
enum {
	ENVELOPE_VERSION = 1,
	ENVELOPE_LEN_MAX = 7500,
	ENVELOPE_NONCE_LEN = 16,
	ENVELOPE_NAME_LEN = 64
};

struct envelope {
	enum envelope_kind kind;
	struct instance_id instance;
	uint8_t nonce[ENVELOPE_NONCE_LEN];
	struct slice ciphertext; /* the service's text: of the material, or of the one-time key when
				    `sealed` is not empty */
	struct slice sealed; /* AES-256-GCM under the one-time key, AAD: instance id and nonce */
	/* ENVELOPE_OBJECT only: */
	uint32_t type, format;
	struct uid old_uid; /* all zero, or the UID that this key supersedes after a migration */
	int64_t initial_date;
	const struct object_attribute *attributes; /* the ones given at Create, with their stamps */
	size_t attribute_count;
};

/* ERR_LIMIT when it does not fit one standard key. The bytes begin with "KPE1". */
MUST_USE enum err envelope_encode(struct buf *out, const struct envelope *envelope);
/* ERR_FOREIGN: not ours at all (magic, or another instance); ERR_VERSION; ERR_CORRUPT. Slices point
 * into payload. */
MUST_USE enum err envelope_decode(struct envelope *out, struct arena *arena,
	const struct instance_id *instance, struct slice payload);
/* "kmip-<instance id>-<nonce hex>" and "kmipl-<instance id>-<nonce hex>" for ledger records. */
void envelope_name(char out[ENVELOPE_NAME_LEN], enum envelope_kind kind,
	const struct instance_id *instance, const uint8_t nonce[ENVELOPE_NONCE_LEN]);
/* What a listing's name says; ERR_FOREIGN when it is not a name of ours for this instance. */
MUST_USE enum err envelope_parse_name(enum envelope_kind *kind, uint8_t nonce[ENVELOPE_NONCE_LEN],
	const struct instance_id *instance, const char *name);
/* The two AAD strings of wrap and unwrap: instance id, nonce in hex. `hex` holds 33 bytes and must
 * outlive the aad. */
struct keymanager_aad;
void envelope_aad(struct keymanager_aad *out, char hex[2 * ENVELOPE_NONCE_LEN + 1],
	const struct instance_id *instance, const uint8_t nonce[ENVELOPE_NONCE_LEN]);
/* The fresh object that an opened envelope describes (Pre-Active, no event dates but the initial
 * one). */
MUST_USE enum err envelope_to_object(struct object *out, struct arena *arena,
	const struct envelope *envelope, const struct uid *key_id, struct slice payload);

#endif
