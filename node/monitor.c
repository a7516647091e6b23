/* SPDX-License-Identifier: Apache-2.0 */
#include "node/monitor.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/http_serve.h"
#include "base/listen.h"
#include "base/log.h"
#include "node/keeper.h"
#include "node/metrics.h"
#include "node/ready.h"

struct monitor {
	struct keeper *keeper;
	struct http_serve *server;
	struct ready *ready;
	int fd;
};

/* That it is answered at all says that the loop turns. */
static enum err tell_health(struct monitor *monitor, struct http_serve_answer *answer)
{
	(void) monitor;
	answer->status = 200;
	return buf_append(&answer->body, SLICE_LITERAL("alive\n"));
}

struct list {
	struct buf *body;
	enum err err;
};

static void list_reason(void *ctx, const struct ready_reason *reason)
{
	struct list *list = ctx;
	bool has = reason->instance[0] != '\0';
	if (list->err == ERR_OK)
		list->err = buf_printf(list->body, "%s%s%s: %s\n", reason->condition,
			has ? " " : "", reason->instance, reason->why);
}

static enum err tell_ready(struct monitor *monitor, struct http_serve_answer *answer)
{
	struct list list = { .body = &answer->body };
	bool is = ready_look(monitor->ready, list_reason, &list) == 0;
	answer->status = is ? 200 : 503;
	return is ? buf_append(&answer->body, SLICE_LITERAL("ready\n")) : list.err;
}

static enum err tell_metrics(struct monitor *monitor, struct http_serve_answer *answer)
{
	answer->status = 200;
	return metrics_print(&answer->body, monitor->keeper, monitor->ready);
}

static void monitor_on_get(void *ctx, struct slice path, struct http_serve_answer *answer)
{
	static const struct {
		const char *path;
		enum err (*tell)(struct monitor *monitor, struct http_serve_answer *answer);
	} pages[] = {
		{ "/metrics", tell_metrics },
		{ "/healthz", tell_health },
		{ "/readyz", tell_ready },
	};
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (slice_equal_text(path, pages[i].path) && pages[i].tell(ctx, answer) != ERR_OK) {
			answer->status = 500;
			buf_clear(&answer->body);
		}
}

enum err monitor_new(
	struct monitor **out, struct keeper *keeper, const char *address, char why[CONFIG_WHY_MAX])
{
	enum err err = ERR_NOMEM;
	struct monitor *monitor;
	*out = NULL;
	if (address == NULL)
		return ERR_OK;
	monitor = calloc(1, sizeof(*monitor));
	if (monitor == NULL)
		return ERR_NOMEM;
	*monitor = (struct monitor){ .keeper = keeper, .fd = -1 };
	TRY(listen_tcp(&monitor->fd, address, why));
	TRY(ready_new(&monitor->ready, keeper));
	struct http_serve_options options = { .loop = keeper_loop(keeper),
		.fd = monitor->fd,
		.timeout_ms = MONITOR_TIMEOUT_MS,
		.on_get = monitor_on_get,
		.ctx = monitor };
	TRY(http_serve_new(&monitor->server, &options));
	log_info("monitoring", "address=%s", address);
	*out = monitor;
	monitor = NULL;
out:
	monitor_free(monitor);
	return err;
}

void monitor_free(struct monitor *monitor)
{
	if (monitor == NULL)
		return;
	http_serve_free(monitor->server);
	ready_free(monitor->ready);
	if (monitor->fd >= 0)
		close(monitor->fd);
	free(monitor);
}
