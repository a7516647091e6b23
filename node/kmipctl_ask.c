/* SPDX-License-Identifier: Apache-2.0 */
#include "node/kmipctl_ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/chan.h"
#include "base/text.h"
#include "node/admin.h"

enum { ANSWER_TIMEOUT_MS = 60000, PAUSE_NS = 200000000, RATE_LIMIT = 1000000 };

struct conversation {
	struct loop *loop;
	struct chan *chan;
	struct loop_timer *timer;
	cJSON *answer;
	const char *failure;
};

static void on_answer(void *ctx, struct chan *chan, const struct chan_message *message)
{
	struct conversation *conversation = ctx;
	(void) chan;
	conversation->answer =
		cJSON_ParseWithLength((const char *) message->body.data, message->body.len);
	conversation->failure =
		conversation->answer == NULL ? "the node's answer cannot be understood" : NULL;
	loop_stop(conversation->loop);
}

static void on_closed(void *ctx, struct chan *chan, enum err why)
{
	struct conversation *conversation = ctx;
	(void) chan;
	(void) why;
	conversation->failure = "the node closed the connection (see its log)";
	loop_stop(conversation->loop);
}

static void on_timeout(void *ctx)
{
	struct conversation *conversation = ctx;
	conversation->failure = "the node does not answer (see its log)";
	loop_stop(conversation->loop);
}

static int connect_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0)
		return fd;
	int error = errno;
	if (fd >= 0)
		close(fd);
	fprintf(stderr, "kmipctl: no node answers at %s: %s%s\n", path, strerror(error),
		error == EACCES ? " (run as the user of kmipd, or as root)"
				: "; is kmipd running? name its socket with --socket");
	return -1;
}

static enum err converse(struct conversation *conversation, int fd, const char *question)
{
	enum err err;
	struct chan_options options = { .body_max = ADMIN_BODY_MAX,
		.out_max = ADMIN_BODY_MAX,
		.on_message = on_answer,
		.on_closed = on_closed,
		.ctx = conversation };
	struct chan_message message = { .type = ADMIN_ASK, .id = 1, .body = slice_text(question) };
	TRY(loop_new(&conversation->loop));
	options.loop = conversation->loop;
	TRY(loop_timer_new(&conversation->timer, conversation->loop, on_timeout, conversation));
	loop_timer_set(conversation->timer, ANSWER_TIMEOUT_MS);
	err = chan_new(&conversation->chan, &options, fd);
	if (err != ERR_OK)
		close(fd);
	TRY(err);
	TRY(chan_send(conversation->chan, &message));
	TRY(loop_run(conversation->loop));
out:
	chan_free(conversation->chan);
	loop_timer_free(conversation->timer);
	loop_free(conversation->loop);
	return err;
}

cJSON *ask(const struct arguments *arguments, cJSON *question)
{
	struct conversation conversation = { 0 };
	char *text = cJSON_PrintUnformatted(question);
	cJSON_Delete(question);
	int fd = text == NULL ? -1 : connect_socket(arguments->socket);
	enum err err = fd < 0 ? ERR_CLOSED : converse(&conversation, fd, text);
	cJSON_free(text);
	if (fd < 0)
		return NULL;
	if (err != ERR_OK || conversation.failure != NULL) {
		fprintf(stderr, "kmipctl: %s\n",
			conversation.failure != NULL ? conversation.failure : err_text(err));
		cJSON_Delete(conversation.answer);
		return NULL;
	}
	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(conversation.answer, "ok")))
		return conversation.answer;
	const char *error = cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(conversation.answer, "error"));
	fprintf(stderr, "kmipctl: %s\n", error == NULL ? "the node refused" : error);
	cJSON_Delete(conversation.answer);
	return NULL;
}

cJSON *question_of(const struct arguments *arguments, const char *command)
{
	cJSON *question = cJSON_CreateObject();
	cJSON_AddStringToObject(question, "command", command);
	if (arguments->instance != NULL)
		cJSON_AddStringToObject(question, "instance", arguments->instance);
	return question;
}

void print_json(const cJSON *json)
{
	char *text = cJSON_Print(json);
	printf("%s\n", text == NULL ? "null" : text);
	cJSON_free(text);
}

int show(const struct arguments *arguments, cJSON *answer, void (*print)(const cJSON *answer))
{
	if (answer == NULL)
		return 1;
	if (arguments->json)
		print_json(answer);
	else if (print != NULL)
		print(answer);
	cJSON_Delete(answer);
	return 0;
}

int run_simple(
	const struct arguments *arguments, const char *command, void (*print)(const cJSON *answer))
{
	return show(arguments, ask(arguments, question_of(arguments, command)), print);
}

const char *answer_text(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
	return text == NULL ? "" : text;
}

double answer_number(const cJSON *object, const char *name)
{
	const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, name);
	return cJSON_IsNumber(number) ? number->valuedouble : 0;
}

bool answer_is_running(const cJSON *object)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "running"));
}

void pause_between_looks(void)
{
	struct timespec pause = { .tv_nsec = PAUSE_NS };
	nanosleep(&pause, NULL);
}

bool rate_of(uint64_t *out, const struct arguments *arguments)
{
	*out = 0;
	if (arguments->rate == NULL)
		return true;
	if (text_u64(out, slice_text(arguments->rate), RATE_LIMIT) == ERR_OK && *out > 0)
		return true;
	fprintf(stderr, "kmipctl: --rate needs a number of keys a second\n");
	return false;
}
