/* SPDX-License-Identifier: Apache-2.0 */
/* Error codes of the whole project, and the one macro with control flow. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err {
#define ERR(name, text) ERR_##name,
#include "base/err.def"
#undef ERR
	ERR_COUNT
};

#define MUST_USE __attribute__((warn_unused_result))

/* The symbolic name ("NOT_FOUND") and the sentence for people; never NULL. */
const char *err_name(enum err err);
const char *err_text(enum err err);

/* Sets the local `err` and goes to `out` when the call fails. One `out:` per function. */
#define TRY(call) \
	do { \
		err = (call); \
		if (err != ERR_OK) \
			goto out; \
	} while (0)

/* For what our own code guarantees; on in every build, never for remote input. */
#define ASSERT(condition) \
	((condition) ? (void) 0 : err_assert_failed(#condition, __FILE__, __LINE__))
_Noreturn void err_assert_failed(const char *condition, const char *file, int line);

#endif
