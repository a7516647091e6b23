/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "keystore/http_private.h"

bool http_set_security(CURL *easy, const struct http *http, const char *url)
{
	bool plain = strncasecmp(url, "http:", 5) == 0;
	struct slice ca = buf_slice(&http->ca);
	struct curl_blob blob = {
		.data = (void *) (uintptr_t) ca.data, .len = ca.len, .flags = CURL_BLOB_COPY
	};
	bool good = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https") ==
			    CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2) ==
			    CURLE_OK;
	/* As bytes: a file that is being replaced is never half read, and no cache of curl's keeps
	 * the old one. */
	if (good && http->ca_file != NULL)
		good = curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK &&
		       curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
	return good;
}

bool http_set_proxy(CURL *easy, const struct http *http, const char *url)
{
	bool plain = strncasecmp(url, "http:", 5) == 0;
	/* A proxy is asked for the way only; token and key never go to it. */
	bool good =
		curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long) CURLHEADER_SEPARATE) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK;
	/* It would carry plain requests off the loopback. */
	if (plain)
		return good && curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
	if (http->proxy == NULL)
		return good;
	/* What is configured is meant: no list of exceptions of the environment. */
	return good && curl_easy_setopt(easy, CURLOPT_PROXY, http->proxy) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOPROXY, "") == CURLE_OK;
}

bool http_set_transfer(CURL *easy, const struct http_request *request)
{
	return curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       /* A cancel does not wait for a name server that does not answer. */
	       curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) HTTP_CONNECT_TIMEOUT_MS) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) request->timeout_ms) == CURLE_OK &&
	       /* curl sends again by itself when a kept connection dies before the first byte
		* of an answer; on a fresh one it does not. */
	       curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->once ? 1L : 0L) == CURLE_OK;
}

static bool is_loopback(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       strcmp(host, "127.0.0.1") == 0;
}

static bool has_part(CURLU *parsed, CURLUPart part)
{
	char *text = NULL;
	bool found = curl_url_get(parsed, part, &text, 0) == CURLUE_OK;
	curl_free(text);
	return found;
}

enum err http_check_url(const char *url)
{
	enum err err = ERR_CONFIG;
	char *scheme = NULL;
	char *host = NULL;
	CURLU *parsed = curl_url();
	if (parsed == NULL)
		return ERR_NOMEM;
	if (curl_url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
		curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		!has_part(parsed, CURLUPART_QUERY) && !has_part(parsed, CURLUPART_FRAGMENT) &&
		(strcmp(scheme, "https") == 0 ||
			(strcmp(scheme, "http") == 0 && is_loopback(host))))
		err = ERR_OK;
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(parsed);
	return err;
}

enum err http_check_proxy(const char *url)
{
	enum err err = ERR_CONFIG;
	char *scheme = NULL;
	char *path = NULL;
	CURLU *parsed = curl_url();
	if (parsed == NULL)
		return ERR_NOMEM;
	if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
		curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		curl_url_get(parsed, CURLUPART_PATH, &path, 0) == CURLUE_OK &&
		strcmp(path, "/") == 0 && !has_part(parsed, CURLUPART_QUERY) &&
		!has_part(parsed, CURLUPART_FRAGMENT) &&
		(strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0))
		err = ERR_OK;
	curl_free(scheme);
	curl_free(path);
	curl_url_cleanup(parsed);
	return err;
}
