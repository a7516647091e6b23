/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key manager in memory behind the functions of keystore/keymanager.h, linked instead of the real
 * one. The service outlives the nodes that use it; faults are put in by script.
 */
#ifndef TESTS_FAKE_KEYMANAGER_H
#define TESTS_FAKE_KEYMANAGER_H

#include "keystore/keymanager.h"

/* There are two root keys: this one, and the one with any other name, or without. */
#define FAKE_SECOND_ROOT "second-root"

enum fake_call {
	FAKE_WRAP,
	FAKE_UNWRAP,
	FAKE_REWRAP,
	FAKE_GET,
	FAKE_CREATE,
	FAKE_DELETE,
	FAKE_LIST,
	FAKE_ROOT,
	FAKE_PREPARE,
	FAKE_CALL_COUNT
};

enum { FAKE_KEYS_MAX = 1200, FAKE_FAULTS_MAX = 16, FAKE_NAME_LEN = 40 };

/* Lets `countdown` calls pass, then strikes `repeat` times. */
struct fake_fault {
	enum fake_call call;
	unsigned countdown;
	unsigned repeat;
	enum err err; /* ERR_OK: only the delay or the stall */
	bool effect; /* the work is done all the same: a lost answer */
	bool alter; /* wrap, unwrap: one bit of the plaintext is another; delete: it is not done */
	bool stall; /* no answer ever */
	uint32_t delay_ms;
};

struct fake_key {
	struct keymanager_key key;
	uint8_t payload[KEYMANAGER_PAYLOAD_LEN_MAX];
	size_t payload_len;
	bool purged;
};

struct fake_service {
	struct fake_key *keys;
	size_t key_count;
	struct fake_fault faults[FAKE_FAULTS_MAX];
	size_t fault_count;
	unsigned calls[FAKE_CALL_COUNT];
	bool down; /* every call: ERR_UNAVAILABLE */
	bool unheard; /* its health says that the last call got no answer */
	enum keymanager_root_state root;
	enum keymanager_root_state second; /* of the root key called FAKE_SECOND_ROOT */
	unsigned root_version;
	bool tells_no_version;
	int64_t ahead_s; /* its clock, of ours */
	char name[FAKE_NAME_LEN]; /* for keymanager_options.service_instance */
};

void fake_service_init(struct fake_service *service);
void fake_service_free(struct fake_service *service);
void fake_service_fault(struct fake_service *service, struct fake_fault fault);
/* A key that somebody else put there. */
struct uid fake_service_put(
	struct fake_service *service, const char *name, bool standard, struct slice payload);
struct fake_key *fake_service_find(struct fake_service *service, const struct uid *id);
/* The owner deletes or restores a key; `at` in seconds. */
void fake_service_delete(struct fake_service *service, const struct uid *id, int64_t at);
void fake_service_restore(struct fake_service *service, const struct uid *id, int64_t at);
/* Everything becomes `seconds` older. */
void fake_service_age(struct fake_service *service, int64_t seconds);
/* Live keys whose name begins so. */
size_t fake_service_count(const struct fake_service *service, const char *prefix);

#endif
