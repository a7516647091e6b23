/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/survey.h"
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "keystore/walk.h"

struct survey {
	struct instance *instance;
	struct loop_timer *timer;
	struct keystore_pending *walk;
	uint64_t began_ms, next_ms; /* boot time; not again before next_ms */
	uint64_t counted; /* so far */
	uint64_t older; /* of the last whole one */
	bool known;
	bool wanted; /* once more: something changed under it */
};

static void survey_wait(struct survey *survey, uint64_t delay_ms)
{
	uint64_t now_ms = clock_boot_ms();

	if (now_ms + delay_ms < survey->next_ms)
		delay_ms = survey->next_ms - now_ms;
	loop_timer_set(survey->timer, delay_ms);
}

static bool survey_wants(void *ctx, struct cache_read *read, const struct object *object)
{
	struct survey *survey = ctx;
	const struct object_wrapped *wrapped = &object->wrapped;

	(void) read;
	survey->counted += wrapped->ciphertext.len > 0 &&
			   !instance_wraps_newest(survey->instance, wrapped->version_label);
	return false;
}

static enum err survey_begin_none(struct walk_item *item)
{
	(void) item;
	return ERR_INTERNAL;
}

static void survey_on_walked(void *ctx, enum err err, const struct walk_progress *progress)
{
	struct survey *survey = ctx;
	uint64_t now_ms = clock_boot_ms();

	(void) progress;
	survey->walk = NULL;
	survey->next_ms = now_ms + SURVEY_SHARE * (now_ms - survey->began_ms);
	if (err == ERR_OK) {
		survey->older = survey->counted;
		survey->known = true;
	} else {
		log_warning("survey-failed", "instance=%s error=%s", survey->instance->id.text,
			err_name(err));
	}
	survey_wait(survey, survey->wanted ? 0 : SURVEY_MS);
	survey->wanted = false;
}

static void survey_on_timer(void *ctx)
{
	struct survey *survey = ctx;
	struct walk_options options = { .name = "survey",
		.is_forgotten = true,
		.rate = WALK_RATE_MAX,
		.at_once = 1,
		.wants = survey_wants,
		.begin = survey_begin_none,
		.on_done = survey_on_walked,
		.ctx = survey };

	survey->began_ms = clock_boot_ms();
	survey->counted = 0;
	/* Before the root key's version is known there is nothing to count. */
	if (!instance_knows_newest(survey->instance) ||
		walk_start(&survey->walk, survey->instance, &options) != ERR_OK)
		survey_wait(survey, SURVEY_MS);
}

void survey_poke(struct survey *survey)
{
	if (survey->walk != NULL)
		survey->wanted = true;
	else
		survey_wait(survey, 0);
}

bool survey_older(const struct survey *survey, uint64_t *out)
{
	*out = survey->older;
	return survey->known;
}

enum err survey_new(struct survey **out, struct instance *instance)
{
	struct survey *survey = calloc(1, sizeof(*survey));
	enum err err = survey == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	survey->instance = instance;
	TRY(loop_timer_new(&survey->timer, instance->keystore->loop, survey_on_timer, survey));
	*out = survey;
	survey = NULL;
out:
	survey_free(survey);
	return err;
}

void survey_free(struct survey *survey)
{
	if (survey == NULL)
		return;
	loop_timer_free(survey->timer);
	free(survey);
}
