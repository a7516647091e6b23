/* SPDX-License-Identifier: Apache-2.0 */
/* A self-signed certificate for the loopback, made once and kept in the data folder. */
#ifndef EMULATOR_CERTIFICATE_H
#define EMULATOR_CERTIFICATE_H

#include <stddef.h>

#include "base/err.h"

/* Writes both files (P-256, names localhost, 127.0.0.1, ::1 and the hosts) unless they are there.
 */
MUST_USE enum err certificate_ensure(
	const char *cert_file, const char *key_file, const char *const *hosts, size_t host_count);

#endif
