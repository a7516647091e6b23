/* SPDX-License-Identifier: Apache-2.0 */
#include "node/config_line.h"

#include <string.h>

struct line {
	size_t indent;
	bool entry; /* begins with "- " */
	struct slice key; /* text before the colon */
};

static struct slice next_line(struct slice *rest)
{
	const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
	size_t len = end == NULL ? rest->len : (size_t) (end - rest->data);
	struct slice line = slice_cut(*rest, 0, len);
	*rest = slice_cut(*rest, end == NULL ? len : len + 1, rest->len);
	return line;
}

static struct line read_line(struct slice text)
{
	struct line line = { 0 };
	while (line.indent < text.len && text.data[line.indent] == ' ')
		line.indent++;
	struct slice rest = slice_cut(text, line.indent, text.len);
	if (rest.len > 0 && rest.data[0] == '-' && (rest.len == 1 || rest.data[1] == ' ')) {
		line.entry = true;
		size_t skip = 1;
		while (skip < rest.len && rest.data[skip] == ' ')
			skip++;
		rest = slice_cut(rest, skip, rest.len);
	}
	const uint8_t *colon = rest.len == 0 ? NULL : memchr(rest.data, ':', rest.len);
	if (colon != NULL && rest.data[0] != '#')
		line.key = slice_cut(rest, 0, (size_t) (colon - rest.data));
	return line;
}

static bool inside(const struct config_place *place, struct slice section, size_t entries)
{
	if (place->section == NULL)
		return section.len == 0;
	return slice_equal_text(section, place->section) &&
	       (entries == 0 || entries == place->entry + 1);
}

size_t config_line_find(struct slice text, const struct config_place *place)
{
	struct slice section = SLICE_EMPTY;
	size_t entries = 0, best = 1;
	for (size_t number = 1; text.len > 0; number++) {
		struct line line = read_line(next_line(&text));
		if (line.indent == 0 && !line.entry && line.key.len > 0) {
			section = place->section == NULL ? SLICE_EMPTY : line.key;
			entries = 0;
		}
		if (line.entry)
			entries++;
		if (!inside(place, section, entries))
			continue;
		bool top = place->section == NULL;
		if (top ? line.indent == 0 : (line.indent == 0 || line.entry))
			best = top ? best : number;
		bool nested = line.indent > 0 || line.entry;
		if (place->key != NULL && slice_equal_text(line.key, place->key) && nested == !top)
			return number;
	}
	return best;
}
