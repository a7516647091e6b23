/* SPDX-License-Identifier: Apache-2.0 */
/* curl's multi interface on our loop: sockets, its one timer, what has finished. */
#include <stdlib.h>

#include "keystore/http_private.h"

/* A socket that curl watches. */
struct watch {
	struct http *http;
	struct loop_io *io;
	curl_socket_t fd;
};

void http_list_append(struct call_list *list, struct http_call *call)
{
	call->next = NULL;
	call->previous = list->last;
	if (list->last != NULL)
		list->last->next = call;
	else
		list->first = call;
	list->last = call;
	list->count++;
}

void http_list_remove(struct call_list *list, struct http_call *call)
{
	if (call->previous != NULL)
		call->previous->next = call->next;
	else
		list->first = call->next;
	if (call->next != NULL)
		call->next->previous = call->previous;
	else
		list->last = call->previous;
	call->next = NULL;
	call->previous = NULL;
	list->count--;
}

/* Takes finished transfers off curl; their callbacks come from deliver_task, one at a time, since a
 * callback may free everything. */
static void collect(struct http *http)
{
	int left = 0;
	CURLMsg *message = NULL;
	while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
		struct http_call *call = NULL;
		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode result = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &call);
		ASSERT(call != NULL && call->state == CALL_RUNNING);
		curl_multi_remove_handle(http->multi, call->easy);
		call->result = result;
		http_list_remove(&http->running, call);
		http->lanes[call->lane].running--;
		call->state = CALL_DONE;
		http_list_append(&http->done, call);
		loop_defer(http->loop, &http->deliver_task);
		loop_defer(http->loop, &http->start_task);
	}
}

static void watch_on_ready(void *ctx, unsigned events)
{
	struct watch *watch = ctx;
	struct http *http = watch->http;
	int running = 0;
	int select = ((events & LOOP_READ) != 0 ? CURL_CSELECT_IN : 0) |
		     ((events & LOOP_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
	/* The watch may be gone afterwards. */
	curl_multi_socket_action(http->multi, watch->fd, select, &running);
	collect(http);
}

static void http_on_timer(void *ctx)
{
	struct http *http = ctx;
	int running = 0;
	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(http);
}

static void watch_free(struct http *http, struct watch *watch)
{
	if (watch == NULL)
		return;
	curl_multi_assign(http->multi, watch->fd, NULL);
	loop_io_free(watch->io);
	free(watch);
}

static struct watch *watch_new(struct http *http, curl_socket_t fd)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	if (watch == NULL)
		return NULL;
	watch->http = http;
	watch->fd = fd;
	if (loop_io_new(&watch->io, http->loop, fd, watch_on_ready, watch) != ERR_OK) {
		free(watch);
		return NULL;
	}
	curl_multi_assign(http->multi, fd, watch);
	return watch;
}

static int http_on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct http *http = ctx;
	struct watch *watch = socket_ctx;
	(void) easy;
	if (what == CURL_POLL_REMOVE) {
		watch_free(http, watch);
		return 0;
	}
	if (watch == NULL)
		watch = watch_new(http, fd);
	if (watch == NULL)
		return -1;
	unsigned want = ((what & CURL_POLL_IN) != 0 ? LOOP_READ : 0U) |
			((what & CURL_POLL_OUT) != 0 ? LOOP_WRITE : 0U);
	loop_io_want(watch->io, want);
	return 0;
}

static int http_on_timeout(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http *http = ctx;
	(void) multi;
	if (timeout_ms < 0)
		loop_timer_stop(http->timer);
	else
		loop_timer_set(http->timer, (uint64_t) timeout_ms);
	return 0;
}

static bool set_multi(struct http *http, long connections)
{
	CURLM *multi = http->multi;
	return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, http_on_socket) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, http_on_timeout) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections) == CURLM_OK;
}

enum err http_loop_new(struct http *http, long connections)
{
	enum err err;
	TRY(loop_timer_new(&http->timer, http->loop, http_on_timer, http));
	http->multi = curl_multi_init();
	if (http->multi == NULL || !set_multi(http, connections))
		err = ERR_NOMEM;
out:
	return err;
}

void http_loop_free(struct http *http)
{
	/* Closes kept connections and with them their watches. */
	curl_multi_cleanup(http->multi);
	loop_timer_free(http->timer);
}
