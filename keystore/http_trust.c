/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/file.h"
#include "base/tls_policy.h"
#include "keystore/http_private.h"

enum err http_reload(struct http *http, char why[HTTP_WHY_MAX])
{
	enum err err;
	struct buf fresh;
	struct tls_peer first;
	if (http->ca_file == NULL)
		return ERR_OK;
	buf_init(&fresh, HTTP_CA_LEN_MAX);
	err = file_read(&fresh, http->ca_file);
	if (err != ERR_OK) {
		snprintf(why, HTTP_WHY_MAX, "CA file %.120s: %s", http->ca_file, err_text(err));
		goto out;
	}
	if (tls_leaf_of_pem(&first, buf_slice(&fresh)) != ERR_OK) {
		snprintf(why, HTTP_WHY_MAX, "CA file %.120s holds no certificate", http->ca_file);
		err = ERR_CONFIG;
		goto out;
	}
	buf_free(&http->ca);
	http->ca = fresh;
	return ERR_OK;
out:
	buf_free(&fresh);
	return err;
}
