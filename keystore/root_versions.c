/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/root_versions.h"
#include "base/crypt.h"
#include "base/text.h"

enum { ID_BITS = 24, DATE_MAX_BITS = 38 };

static int64_t label_of(struct slice id, int64_t date)
{
	return date << ID_BITS | (int64_t) (crypt_crc32c(id) & ((1u << ID_BITS) - 1));
}

int64_t root_versions_date(int64_t label)
{
	return label >> ID_BITS;
}

int64_t root_versions_label(const struct root_versions *versions, struct slice id)
{
	for (size_t i = 0; i < versions->count; i++) {
		if (slice_equal_text(id, versions->known[i].id))
			return versions->known[i].label;
	}
	return 0;
}

int64_t root_versions_newest(const struct root_versions *versions)
{
	return versions->count == 0 ? 0 : versions->known[0].label;
}

void root_versions_note(struct root_versions *versions, struct slice id, int64_t date)
{
	struct root_version version;
	size_t place = 0;

	if (id.len == 0 || date <= 0 || date >> DATE_MAX_BITS != 0 ||
		root_versions_label(versions, id) != 0 ||
		text_copy(version.id, sizeof(version.id), id) != ERR_OK)
		return;
	version.label = label_of(id, date);
	while (place < versions->count && versions->known[place].label > version.label)
		place++;
	if (place == ROOT_VERSIONS_MAX)
		return;
	if (versions->count < ROOT_VERSIONS_MAX)
		versions->count++;
	for (size_t i = versions->count - 1; i > place; i--)
		versions->known[i] = versions->known[i - 1];
	versions->known[place] = version;
}
