/* SPDX-License-Identifier: Apache-2.0 */
/* kmipd --check: judges the configuration and tries every key manager, as a start would need them
 * (design D24). */
#ifndef NODE_CHECK_H
#define NODE_CHECK_H

/* Prints one line for each finding; the exit status: 0 when the node could serve. */
int check_run(const char *config_path);

#endif
