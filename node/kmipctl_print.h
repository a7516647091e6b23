/* SPDX-License-Identifier: Apache-2.0 */
/* kmipctl's tables for people, from the JSON answers of the node. Private to kmipctl. */
#ifndef NODE_KMIPCTL_PRINT_H
#define NODE_KMIPCTL_PRINT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>

/* A column of a table: its title and the member of each row. */
struct print_column {
	const char *title;
	const char *member;
};
/* rows: an array of objects. Widths follow the content; prints "none" for an empty table. */
void print_table(const cJSON *rows, const struct print_column *columns, int column_count);
void print_status(const cJSON *answer);
void print_key(const cJSON *answer);
void print_instances(const cJSON *answer);
void print_clients(const cJSON *answer);
/* Without a line's end: it is told again and again. */
void print_draining(FILE *out, const char *before, const cJSON *status);
void print_checkpoint(FILE *out, const char *before, const cJSON *answer);

#endif
