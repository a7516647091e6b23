/* SPDX-License-Identifier: Apache-2.0 */
/* What tests may turn while the emulator runs: outages, timers, lags and limits (knobs.def). */
#ifndef EMULATOR_KNOBS_H
#define EMULATOR_KNOBS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct knobs {
#define FLAG(name, help) bool name;
#define NUMBER(name, value, min, max, help) int64_t name;
#include "tests/emulator/knobs.def"
#undef FLAG
#undef NUMBER
};

extern const struct knobs knobs_default;

/* Turns what the object names. ERR_INVALID when a name is unknown or a value wrong: then nothing
 * was turned, and *bad names it (borrowed from the object). */
MUST_USE enum err knobs_set(struct knobs *knobs, const cJSON *values, const char **bad);
/* All of them; the caller owns the result. */
cJSON *knobs_json(const struct knobs *knobs);
/* One line each; borrowed for good. */
extern const char knobs_help[];

#endif
