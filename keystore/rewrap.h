/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a rotation of the root key (design D14): brings the cached form of each key of an instance
 * to the newest version, in the background, by a walk (walk.h). It asks for the newest version
 * before the walk and after it, and goes round again when there is a newer one. A run that an
 * earlier life left is gone on with.
 */
#ifndef KEYSTORE_REWRAP_H
#define KEYSTORE_REWRAP_H

#include "keystore/instance.h"

struct rewrap;

enum {
	REWRAP_AT_ONCE = 2, /* of the connections that background work has, so that polls do not
			       wait */
	REWRAP_ROUNDS_MAX = 16, /* the root key is rotated once an hour at most */
	REWRAP_ASK_MS = 1000, /* between questions for the newest version without an answer */
};

MUST_USE enum err rewrap_new(struct rewrap **out, struct instance *instance);
void rewrap_free(struct rewrap *rewrap);
/* Starts a run, or gives the one under way another rate. rate 0: KEYSTORE_REWRAP_RATE, or as it
 * is. */
void rewrap_run(struct rewrap *rewrap, uint32_t rate);
void rewrap_stop(struct rewrap *rewrap);
/* The root keys were looked at. */
void rewrap_poke(struct rewrap *rewrap);
void rewrap_status(const struct rewrap *rewrap, struct keystore_rewrap_status *out);

#endif
