/* SPDX-License-Identifier: Apache-2.0 */
/* A self-signed certificate for the loopback, made once and kept in the data folder. */
#ifndef EMULATOR_CERTIFICATE_H
#define EMULATOR_CERTIFICATE_H

#include "base/err.h"

/* Writes both files (P-256, names localhost, 127.0.0.1 and ::1) unless they are there. */
MUST_USE enum err certificate_ensure(const char *cert_file, const char *key_file);

#endif
