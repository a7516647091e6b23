/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message as text for debug logs, one line, by the tags' names: Name{Name Value="vm 1"}. Values
 * of sensitive tags, of unknown tags and of custom attributes appear as their length only. It walks
 * the encoded bytes, so that messages which no table understands can be printed too.
 */
#ifndef KMIP_PRINT_H
#define KMIP_PRINT_H

#include "base/buf.h"
#include "kmip/spec.h"

/* Appends; stops at a malformed item with "<malformed>" and, when `out` is full, with what fits. */
void kmip_print(struct buf *out, struct slice items);

#endif
