/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/openssl.h"
#include "tests/emulator/job.h"

enum { BODY_MAX = 1 << 20, HEADERS_MAX = 64 << 10, BACKLOG = 256 };

struct server {
	struct emulator *emulator;
	struct evhttp *http;
	SSL_CTX *tls; /* NULL for plain HTTP */
	struct job_list jobs;
	uint16_t port;
};

static void server_on_request(struct evhttp_request *http, void *ctx)
{
	struct server *server = ctx;

	job_start(&server->jobs, server->emulator, http);
}

static struct bufferevent *server_on_accept(struct event_base *base, void *ctx)
{
	struct server *server = ctx;
	SSL *ssl = SSL_new(server->tls);

	ASSERT(ssl != NULL);
	struct bufferevent *bev = bufferevent_openssl_socket_new(
		base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	ASSERT(bev != NULL);
	/* Clients often just close; that is no event for a log. */
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

static enum err server_start_tls(struct server *server, const struct server_options *options)
{
	if (options->cert_file == NULL)
		return ERR_OK;
	server->tls = SSL_CTX_new(TLS_server_method());
	if (server->tls == NULL)
		return ERR_NOMEM;
	SSL_CTX_set_min_proto_version(server->tls, TLS1_2_VERSION);
	SSL_CTX_set_options(server->tls, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_RENEGOTIATION);
	if (SSL_CTX_use_certificate_chain_file(server->tls, options->cert_file) == 1 &&
		SSL_CTX_use_PrivateKey_file(server->tls, options->key_file, SSL_FILETYPE_PEM) ==
			1 &&
		SSL_CTX_check_private_key(server->tls) == 1)
		return ERR_OK;
	log_error("certificate-unusable", "cert=%s key=%s why=%s",
		log_quoted(slice_text(options->cert_file)),
		log_quoted(slice_text(options->key_file)),
		log_quoted(slice_text(ERR_reason_error_string(ERR_peek_last_error()))));
	return ERR_CONFIG;
}

/* A listening socket; accepted ones inherit TCP_NODELAY. */
static int server_bind(const struct server_options *options)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *) &address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) &address;
	socklen_t len = 0;
	int on = 1;

	if (inet_pton(AF_INET, options->host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(options->port);
		len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, options->host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(options->port);
		len = sizeof(*v6);
	}
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
		bind(fd, (struct sockaddr *) &address, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

static uint16_t server_bound_port(int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof(address);

	if (getsockname(fd, (struct sockaddr *) &address, &len) != 0)
		return 0;
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *) &address)->sin6_port);
	return ntohs(((struct sockaddr_in *) &address)->sin_port);
}

static enum err server_listen(struct server *server, const struct server_options *options)
{
	int fd = server_bind(options);

	if (fd < 0) {
		log_error("listen-failed", "host=%s port=%u why=%s",
			log_quoted(slice_text(options->host)), options->port,
			log_quoted(slice_text(strerror(errno))));
		return ERR_SYS;
	}
	server->port = server_bound_port(fd);
	if (evhttp_accept_socket_with_handle(server->http, fd) != NULL)
		return ERR_OK;
	close(fd);
	return ERR_SYS;
}

enum err server_new(
	struct server **out, struct emulator *emulator, const struct server_options *options)
{
	enum err err;
	struct server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		TRY(ERR_NOMEM);
	server->emulator = emulator;
	TAILQ_INIT(&server->jobs);
	server->http = evhttp_new(emulator->base);
	if (server->http == NULL)
		TRY(ERR_NOMEM);
	evhttp_set_max_body_size(server->http, BODY_MAX);
	evhttp_set_max_headers_size(server->http, HEADERS_MAX);
	evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST |
							 EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
							 EVHTTP_REQ_DELETE | EVHTTP_REQ_PATCH);
	evhttp_set_gencb(server->http, server_on_request, server);
	TRY(server_start_tls(server, options));
	if (server->tls != NULL)
		evhttp_set_bevcb(server->http, server_on_accept, server);
	TRY(server_listen(server, options));
	*out = server;
	server = NULL;
out:
	server_free(server);
	return err;
}

void server_free(struct server *server)
{
	if (server == NULL)
		return;
	job_free_all(&server->jobs);
	if (server->http != NULL)
		evhttp_free(server->http);
	SSL_CTX_free(server->tls);
	free(server);
}

uint16_t server_port(const struct server *server)
{
	return server->port;
}
