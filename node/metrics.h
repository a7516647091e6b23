/* SPDX-License-Identifier: Apache-2.0 */
/* What /metrics says, in Prometheus' text format; the rows are in metrics.def. */
#ifndef NODE_METRICS_H
#define NODE_METRICS_H

#include "base/buf.h"

struct keeper;
struct ready;

MUST_USE enum err metrics_print(struct buf *out, struct keeper *keeper, const struct ready *ready);
/* The rows as a table of Markdown. */
MUST_USE enum err metrics_manual(struct buf *out);

#endif
