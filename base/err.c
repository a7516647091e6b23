/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	const char *text;
} errors[ERR_COUNT] = {
#define ERR(name, text) { #name, text },
#include "base/err.def"
#undef ERR
};

const char *err_name(enum err err)
{
	return (unsigned) err < ERR_COUNT ? errors[err].name : "UNKNOWN";
}

const char *err_text(enum err err)
{
	return (unsigned) err < ERR_COUNT ? errors[err].text : "unknown error";
}

_Noreturn void err_assert_failed(const char *condition, const char *file, int line)
{
	/* Not through the log: whatever is broken may be what the log needs. */
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
	abort();
}
