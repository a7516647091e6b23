/* SPDX-License-Identifier: Apache-2.0 */
/* IBM Key Protect (Standard and Dedicated) and Hyper Protect Crypto Services: one API, two hosts.
 */
#ifndef KEYSTORE_KEY_PROTECT_H
#define KEYSTORE_KEY_PROTECT_H

#include "keystore/keymanager_ops.h"

extern const struct keymanager_ops key_protect_ops;

#endif
