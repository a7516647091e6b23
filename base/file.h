/* SPDX-License-Identifier: Apache-2.0 */
/* Whole small files. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"

/* Appends the content to out; ERR_LIMIT when it is longer than out's maximum, ERR_NOT_FOUND,
 * ERR_DENIED, ERR_IO. */
MUST_USE enum err file_read(struct buf *out, const char *path);
/* Whether its owner alone may read and write it; where root owns it, its group may read it, too. */
MUST_USE enum err file_is_private(const char *path, bool *out);
/* Writes to a temporary file beside it, fsyncs, renames, fsyncs the folder. */
MUST_USE enum err file_write_atomic(const char *path, struct slice bytes, unsigned mode);
/* Makes the folder if it is not there (parents must be). */
MUST_USE enum err file_make_folder(const char *path, unsigned mode);

#endif
