/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/kill_point.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "keystore/keystore_private.h"

static const char *const names[KILL_POINT_COUNT] = {
#define KILL_POINT_NAME(name, done) [KILL_##name] = #name,
	KILL_POINTS(KILL_POINT_NAME)
#undef KILL_POINT_NAME
};

const char *kill_point_name(enum kill_point point)
{
	return names[point];
}

enum err kill_point_arm(struct keystore *keystore, const char *name, uint32_t countdown)
{
	for (enum kill_point point = KILL_NOWHERE + 1; point < KILL_POINT_COUNT; point++) {
		if (strcmp(names[point], name) == 0) {
			keystore->kill = (struct kill_arm){ point, countdown };
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

void kill_point_pass(struct keystore *keystore, enum kill_point point)
{
	if (keystore->kill.point != point)
		return;
	if (keystore->kill.countdown > 0) {
		keystore->kill.countdown--;
		return;
	}
	log_error("kill-point", "name=%s", names[point]);
	(void) kill(getpid(), SIGKILL);
}
