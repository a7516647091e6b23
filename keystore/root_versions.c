/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/root_versions.h"
#include "base/text.h"

int64_t root_versions_date(const struct root_versions *versions, struct slice id)
{
	for (size_t i = 0; i < versions->count; i++) {
		if (slice_equal_text(id, versions->known[i].id))
			return versions->known[i].date;
	}
	return 0;
}

int64_t root_versions_newest(const struct root_versions *versions)
{
	return versions->count == 0 ? 0 : versions->known[0].date;
}

void root_versions_note(struct root_versions *versions, struct slice id, int64_t date)
{
	struct root_version version = { .date = date };
	size_t place = 0;

	if (id.len == 0 || date <= 0 || root_versions_date(versions, id) != 0 ||
		text_copy(version.id, sizeof(version.id), id) != ERR_OK)
		return;
	while (place < versions->count && versions->known[place].date > date)
		place++;
	if (place == ROOT_VERSIONS_MAX)
		return;
	if (versions->count < ROOT_VERSIONS_MAX)
		versions->count++;
	for (size_t i = versions->count - 1; i > place; i--)
		versions->known[i] = versions->known[i - 1];
	versions->known[place] = version;
}
