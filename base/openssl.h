/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door to OpenSSL's headers. OpenSSL names a type ERR_STATE, which is one of our error codes,
 * so theirs is called something else while its headers are read. Included only by the files that
 * may name OpenSSL (base/README.md) and by tests.
 */
#ifndef BASE_OPENSSL_H
#define BASE_OPENSSL_H

#define ERR_STATE openssl_err_state
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#endif
