/* SPDX-License-Identifier: Apache-2.0 */
/* Options of one transfer, for http.c. False: out of memory. */
#ifndef KEYSTORE_HTTP_PRIVATE_H
#define KEYSTORE_HTTP_PRIVATE_H

#include <curl/curl.h>

#include "keystore/http.h"

bool http_set_transfer(CURL *easy, const struct http_request *request);
/* ca_file: NULL for the system's. */
bool http_set_security(CURL *easy, const char *url, const char *ca_file);

#endif
