/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/policy.h"
#include <ctype.h>
#include <stdio.h>
#include "base/text.h"

enum {
	WORD_LEN_MAX = 40,
	BITS_MAX = 65536,
	AES_BITS = 256 /* what vSphere makes */
};

static const char *const extra_names[POLICY_EXTRAS] = {
#define FIPS_KEY(name, bits)
#define FIPS_HASH(name)
#define EXTRA(name, text, help) [POLICY_##name] = text,
#include "kmip/spec/policies.def"
#undef EXTRA
#undef FIPS_HASH
#undef FIPS_KEY
};

/* ---- names ---- */

/* Names that differ in case and in what stands between letters and digits are one. */
static bool is_same_name(struct slice word, const char *name)
{
	struct slice other = slice_text(name);
	size_t i = 0, j = 0;

	for (;;) {
		while (i < word.len && !isalnum(word.data[i]))
			i++;
		while (j < other.len && !isalnum(other.data[j]))
			j++;
		if (i == word.len || j == other.len)
			return i == word.len && j == other.len;
		if (tolower(word.data[i++]) != tolower(other.data[j++]))
			return false;
	}
}

static bool has_name(enum kmip_set set, uint32_t number, struct slice word)
{
	const char *name = kmip_enum_name(set, number);

	return name != NULL && is_same_name(word, name);
}

/* ---- presets ---- */

static void preset_none(struct policy *out)
{
	for (size_t i = 0; i < POLICY_NUMBERS; i++)
		out->key_bits_min[i] = INT32_MAX;
	out->key_bits_min[KMIP_CRYPTOGRAPHIC_ALGORITHM_AES] = AES_BITS;
}

static void preset_all(struct policy *out)
{
	out->is_open = true;
	for (size_t i = 0; i < POLICY_NUMBERS; i++) {
		out->key_bits_min[i] = 0;
		out->hashes[i] = true;
	}
	for (size_t i = 0; i < POLICY_EXTRAS; i++)
		out->extras[i] = true;
}

static void preset_fips(struct policy *out)
{
	preset_none(out);
#define FIPS_KEY(name, bits) out->key_bits_min[KMIP_CRYPTOGRAPHIC_ALGORITHM_##name] = (bits);
#define FIPS_HASH(name) out->hashes[KMIP_HASHING_ALGORITHM_##name] = true;
#define EXTRA(name, text, help)
#include "kmip/spec/policies.def"
#undef EXTRA
#undef FIPS_HASH
#undef FIPS_KEY
}

/* ---- words ---- */

struct word {
	struct slice name;
	bool takes_away, has_bits;
	int32_t bits;
};

static enum err refuse(char why[POLICY_WHY_MAX], struct slice name, const char *text)
{
	int len = name.len < WORD_LEN_MAX ? (int) name.len : WORD_LEN_MAX;

	snprintf(why, POLICY_WHY_MAX, "\"%.*s\" %s", len, (const char *) name.data, text);
	return ERR_CONFIG;
}

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == ',' || byte == '\t';
}

/* Cuts the first word off the text. */
static struct slice word_next(struct slice *text)
{
	size_t from = 0, to;

	while (from < text->len && is_blank(text->data[from]))
		from++;
	to = from;
	while (to < text->len && !is_blank(text->data[to]))
		to++;
	struct slice word = slice_cut(*text, from, to - from);
	*text = slice_cut(*text, to, text->len);
	return word;
}

static enum err word_read(struct word *out, struct slice text, char why[POLICY_WHY_MAX])
{
	uint64_t bits = 0;
	size_t at = 0;

	*out = (struct word){ .name = text };
	if (text.data[0] == '-') {
		out->takes_away = true;
		out->name = slice_cut(text, 1, text.len);
	}
	while (at < out->name.len && out->name.data[at] != ':')
		at++;
	if (at == out->name.len)
		return ERR_OK;
	if (out->takes_away ||
		text_u64(&bits, slice_cut(out->name, at + 1, out->name.len), BITS_MAX) != ERR_OK)
		return refuse(why, text, "is not NAME, -NAME or NAME:BITS");
	out->has_bits = true;
	out->bits = (int32_t) bits;
	out->name.len = at;
	return ERR_OK;
}

static enum err judge_aes(const struct word *word, char why[POLICY_WHY_MAX])
{
	if (word->takes_away || word->bits > AES_BITS)
		return refuse(why, word->name, "with 256 bits is always allowed: vSphere needs it");
	return ERR_OK;
}

/* One word may name a key's algorithm and a hash: in KMIP both have SHA3-256. */
static enum err word_apply(struct policy *out, const struct word *word, char why[POLICY_WHY_MAX])
{
	bool is_key = false, is_other = false;

	for (uint32_t i = 0; i < POLICY_NUMBERS; i++) {
		if (has_name(KMIP_SET_CRYPTOGRAPHIC_ALGORITHM, i, word->name)) {
			is_key = true;
			if (i == KMIP_CRYPTOGRAPHIC_ALGORITHM_AES && judge_aes(word, why) != ERR_OK)
				return ERR_CONFIG;
			out->key_bits_min[i] = word->takes_away ? INT32_MAX : word->bits;
		}
		if (has_name(KMIP_SET_HASHING_ALGORITHM, i, word->name)) {
			is_other = true;
			out->hashes[i] = !word->takes_away;
		}
	}
	for (size_t i = 0; i < POLICY_EXTRAS; i++) {
		if (is_same_name(word->name, extra_names[i])) {
			is_other = true;
			out->extras[i] = !word->takes_away;
		}
	}
	if (!is_key && !is_other)
		return refuse(why, word->name,
			"is no algorithm of KMIP, as AES, RSA, HMAC-SHA256, SHA-256, and no preset "
			"(all, fips)");
	if (!is_key && word->has_bits)
		return refuse(why, word->name, "has no length to be limited");
	out->is_open = false;
	return ERR_OK;
}

static bool preset_apply(struct policy *out, struct slice name)
{
	if (is_same_name(name, "all"))
		preset_all(out);
	else if (is_same_name(name, "fips"))
		preset_fips(out);
	else
		return false;
	return true;
}

enum err policy_parse(struct policy *out, const char *text, char why[POLICY_WHY_MAX])
{
	struct slice rest = slice_text(text);
	bool is_first = true, has_preset = false;
	struct word word;
	enum err err;

	*out = (struct policy){ .is_open = false };
	preset_none(out);
	err = text_copy(out->text, sizeof(out->text), rest);
	if (err != ERR_OK) {
		snprintf(why, POLICY_WHY_MAX, "at most %d characters", POLICY_TEXT_LEN_MAX);
		return ERR_CONFIG;
	}
	for (struct slice one = word_next(&rest); one.len > 0; one = word_next(&rest)) {
		if (is_first)
			has_preset = preset_apply(out, one);
		else if (is_same_name(one, "all") || is_same_name(one, "fips"))
			TRY(refuse(why, one, "has to be the first word"));
		if (!is_first || !has_preset) {
			TRY(word_read(&word, one, why));
			if (word.takes_away && !has_preset)
				TRY(refuse(why, one, "takes away, but no preset gives before it"));
			TRY(word_apply(out, &word, why));
		}
		is_first = false;
	}
	if (is_first)
		TRY(refuse(why, slice_text(text), "names nothing: all, fips, or algorithms"));
out:
	return err;
}

/* ---- asking ---- */

int32_t policy_key_bits_min(const struct policy *policy, uint32_t cryptographic_algorithm)
{
	if (policy->is_open)
		return 0;
	return cryptographic_algorithm < POLICY_NUMBERS
		       ? policy->key_bits_min[cryptographic_algorithm]
		       : INT32_MAX;
}

bool policy_allows_hash(const struct policy *policy, const char *hash)
{
	if (policy->is_open)
		return true;
	for (uint32_t i = 0; i < POLICY_NUMBERS; i++) {
		if (policy->hashes[i] && has_name(KMIP_SET_HASHING_ALGORITHM, i, slice_text(hash)))
			return true;
	}
	return false;
}

bool policy_allows(const struct policy *policy, enum policy_extra extra)
{
	return policy->is_open || policy->extras[extra];
}

enum err policy_digest(uint8_t out[CRYPT_SHA256_LEN], const struct policy *policy)
{
	enum { BITS_LEN = sizeof(uint32_t) };
	uint8_t bytes[POLICY_NUMBERS * (BITS_LEN + 1) + POLICY_EXTRAS];
	size_t at = 0;

	for (size_t i = 0; i < POLICY_NUMBERS; i++, at += BITS_LEN)
		be32_put(bytes + at, (uint32_t) policy->key_bits_min[i]);
	for (size_t i = 0; i < POLICY_NUMBERS; i++)
		bytes[at++] = policy->hashes[i] ? 1 : 0;
	for (size_t i = 0; i < POLICY_EXTRAS; i++)
		bytes[at++] = policy->extras[i] ? 1 : 0;
	return crypt_sha256(out, slice_of(bytes, sizeof(bytes)));
}
