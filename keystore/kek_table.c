/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A header of two pages, then slots. A slot is guarded by a counter (a seqlock): odd while it is
 * being written, and otherwise the slot's generation, which is part of what the sealing
 * authenticates. So a reader that copied a slot while it changed either sees that the counter
 * moved, or fails to open the copy.
 */
#include "keystore/kek_table.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/crypt.h"
#include "base/secret.h"
#include "keystore/kek_table_private.h"

static const uint64_t table_magic = 0x6b6d69704b454b74u;

/* ---- making and attaching ---- */

static enum err table_map(struct kek_table *table, int fd, int protection)
{
	void *mapped = mmap(NULL, table->mapped_len, protection, MAP_SHARED, fd, 0);

	if (mapped == MAP_FAILED)
		return ERR_SYS;
	(void) madvise(mapped, table->mapped_len, MADV_DONTDUMP);
	table->header = mapped;
	table->slots = (struct slot *) ((uint8_t *) mapped + HEADER_LEN);
	return ERR_OK;
}

static enum err table_make(struct kek_table *table)
{
	enum err err = ERR_OK;

	table->fd = memfd_create("kek-table", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (table->fd < 0 || ftruncate(table->fd, (off_t) table->mapped_len) != 0)
		return ERR_SYS;
	TRY(table_map(table, table->fd, PROT_READ | PROT_WRITE));
	/* Our own mapping stays writable; nobody gets another. Kernels before 5.1 lack this seal.
	 */
	(void) fcntl(table->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
	if (fcntl(table->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		err = ERR_SYS;
out:
	return err;
}

enum err kek_table_new(struct kek_table **out, size_t slots)
{
	struct kek_table *table = calloc(1, sizeof(*table));
	enum err err;

	*out = NULL;
	if (table == NULL)
		return ERR_NOMEM;
	table->fd = -1;
	TRY(slots == 0 || slots > SLOTS_MAX ? ERR_LIMIT : ERR_OK);
	table->slot_count = slots;
	table->mapped_len = HEADER_LEN + slots * sizeof(struct slot);
	TRY(crypt_start());
	TRY(secret_random(&table->key, CRYPT_GCM_KEY_LEN));
	TRY(table_make(table));
	table->used_ms = calloc(slots, sizeof(*table->used_ms));
	TRY(table->used_ms == NULL ? ERR_NOMEM : ERR_OK);
	table->header->magic = table_magic;
	table->header->version = TABLE_VERSION;
	table->header->slot_len = sizeof(struct slot);
	table->header->slots = slots;
	*out = table;
	table = NULL;
out:
	kek_table_free(table);
	return err;
}

/* The seals are what keeps a reader from running past the end of a file that shrank. */
static enum err attach_measure(struct kek_table *table, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat info;

	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &info) != 0 ||
		info.st_size < HEADER_LEN + (off_t) sizeof(struct slot))
		return ERR_INVALID;
	table->mapped_len = (size_t) info.st_size;
	return ERR_OK;
}

static enum err attach_check(struct kek_table *table)
{
	const struct header *header = table->header;

	if (header->magic != table_magic)
		return ERR_INVALID;
	if (header->version != TABLE_VERSION || header->slot_len != sizeof(struct slot))
		return ERR_VERSION;
	if (header->slots == 0 || header->slots > SLOTS_MAX ||
		table->mapped_len != HEADER_LEN + header->slots * sizeof(struct slot))
		return ERR_INVALID;
	table->slot_count = header->slots;
	return ERR_OK;
}

enum err kek_table_attach(struct kek_table **out, int fd, struct slice key)
{
	struct kek_table *table = calloc(1, sizeof(*table));
	enum err err;

	*out = NULL;
	if (table == NULL)
		return ERR_NOMEM;
	table->fd = -1;
	TRY(key.len == CRYPT_GCM_KEY_LEN ? ERR_OK : ERR_INVALID);
	TRY(attach_measure(table, fd));
	TRY(crypt_start());
	TRY(secret_new(&table->key, key));
	TRY(table_map(table, fd, PROT_READ));
	TRY(attach_check(table));
	*out = table;
	table = NULL;
out:
	kek_table_free(table);
	return err;
}

void kek_table_free(struct kek_table *table)
{
	if (table == NULL)
		return;
	if (table->header != NULL)
		(void) munmap(table->header, table->mapped_len);
	if (table->fd >= 0)
		(void) close(table->fd);
	secret_free(table->key);
	free(table->used_ms);
	free(table);
}

int kek_table_fd(const struct kek_table *table)
{
	return table->fd;
}

struct slice kek_table_key(const struct kek_table *table)
{
	return secret_slice(table->key);
}

static bool is_keeper(const struct kek_table *table)
{
	return table->fd >= 0;
}

/* ---- slots ---- */

static void slot_write(struct slot *slot, const struct content *content)
{
	const uint8_t *from = (const uint8_t *) content;
	uint64_t generation = atomic_load_explicit(&slot->generation, memory_order_relaxed);
	uint64_t word;

	ASSERT(generation % 2 == 0);
	atomic_store_explicit(&slot->generation, generation + 1, memory_order_relaxed);
	/* No word may be seen before the odd counter, nor the even one before the words. */
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < CONTENT_WORDS; i++) {
		bytes_copy(&word, from + i * sizeof(word), sizeof(word));
		atomic_store_explicit(&slot->words[i], word, memory_order_relaxed);
	}
	atomic_store_explicit(&slot->generation, generation + 2, memory_order_release);
}

/* A whole copy; false when the slot changed under it. */
static bool slot_copy(struct slot *slot, struct content *out, uint64_t *generation)
{
	uint8_t *to = (uint8_t *) out;

	*generation = atomic_load_explicit(&slot->generation, memory_order_acquire);
	if (*generation % 2 != 0)
		return false;
	for (size_t i = 0; i < CONTENT_WORDS; i++) {
		uint64_t word = atomic_load_explicit(&slot->words[i], memory_order_relaxed);

		bytes_copy(to + i * sizeof(word), &word, sizeof(word));
	}
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&slot->generation, memory_order_relaxed) == *generation;
}

static bool slot_read(struct slot *slot, struct content *out, uint64_t *generation)
{
	for (int i = 0; i < READ_TRIES_MAX; i++)
		if (slot_copy(slot, out, generation))
			return true;
	return false;
}

static struct slot *slot_at(const struct kek_table *table, const struct uid *uid, size_t probe)
{
	/* The key manager's ids are random; both halves count, since one has fixed bits. */
	uint64_t place = be64_get(uid->bytes) ^ be64_get(uid->bytes + 8);

	return &table->slots[(place % table->slot_count + probe) % table->slot_count];
}

static size_t probes(const struct kek_table *table)
{
	return table->slot_count < KEK_TABLE_PROBES_MAX ? table->slot_count : KEK_TABLE_PROBES_MAX;
}

static bool is_uid(const struct content *content, const struct uid *uid)
{
	return content->counter != 0 && slice_equal(slice_of(content->uid, sizeof(content->uid)),
						slice_of(uid->bytes, sizeof(uid->bytes)));
}

static bool is_instance(const struct content *content, const struct instance_id *instance)
{
	return content->counter != 0 &&
	       slice_equal(slice_of(content->instance, sizeof(content->instance)),
		       slice_of(instance->text, INSTANCE_ID_LEN_MAX));
}

/* What binds a sealed key to its place, owner and time. */
struct binding {
	uint8_t aad[INSTANCE_ID_LEN_MAX + 16 + 3 * 8];
	uint8_t nonce[CRYPT_GCM_NONCE_LEN];
};

static void binding_fill(
	struct binding *binding, const struct content *content, uint64_t generation)
{
	uint8_t *to = binding->aad;

	bytes_copy(to, content->instance, INSTANCE_ID_LEN_MAX);
	bytes_copy(to + INSTANCE_ID_LEN_MAX, content->uid, 16);
	to += INSTANCE_ID_LEN_MAX + 16;
	be64_put(to, generation);
	be64_put(to + 8, content->fresh_until_ms);
	be64_put(to + 16, content->resident_until_ms);
	bytes_zero(binding->nonce, sizeof(binding->nonce));
	be64_put(binding->nonce + 4, content->counter);
}

static struct crypt_box binding_box(const struct kek_table *table, const struct binding *binding)
{
	return (struct crypt_box){ .key = secret_slice(table->key),
		.nonce = slice_of(binding->nonce, sizeof(binding->nonce)),
		.aad = slice_of(binding->aad, sizeof(binding->aad)) };
}

/* ---- the keeper ---- */

static void slot_clear(struct kek_table *table, struct slot *slot)
{
	static const struct content empty;

	slot_write(slot, &empty);
	table->used_ms[slot - table->slots] = 0;
	table->count--;
}

/* The keeper alone writes, so what it copies is whole. */
static void slot_own(struct slot *slot, struct content *out)
{
	uint64_t generation;

	ASSERT(slot_copy(slot, out, &generation));
}

static bool is_spared(const struct content *content, uint64_t spare_after_ms)
{
	return spare_after_ms != 0 && content->counter != 0 &&
	       content->resident_until_ms > spare_after_ms;
}

/* The slot of this uid, else a free one, else of those not spared the one written longest ago. */
static struct slot *slot_choose(
	struct kek_table *table, const struct kek_entry *entry, bool *was_empty)
{
	struct slot *chosen = NULL;
	uint64_t oldest = UINT64_MAX;

	for (size_t i = 0; i < probes(table); i++) {
		struct slot *slot = slot_at(table, &entry->uid, i);
		struct content content;

		slot_own(slot, &content);
		if (is_uid(&content, &entry->uid)) {
			*was_empty = false;
			return slot;
		}
		if (!is_spared(&content, entry->spare_after_ms) && content.counter < oldest) {
			oldest = content.counter;
			chosen = slot;
		}
	}
	*was_empty = oldest == 0;
	return chosen;
}

static void note_use(struct kek_table *table, struct slot *slot, const struct kek_entry *entry)
{
	uint64_t *used_ms = &table->used_ms[slot - table->slots];
	struct content content;

	slot_own(slot, &content);
	if (entry->used_ms != 0)
		*used_ms = entry->used_ms;
	else if (!is_uid(&content, &entry->uid))
		*used_ms = 0;
}

enum err kek_table_put(struct kek_table *table, const struct kek_entry *entry)
{
	struct content content = { .fresh_until_ms = entry->fresh_until_ms,
		.resident_until_ms = entry->resident_until_ms };
	struct binding binding;
	struct crypt_box box;
	struct slot *slot;
	bool was_empty;
	enum err err;

	ASSERT(is_keeper(table));
	if (entry->material.len > KEK_TABLE_MATERIAL_MAX) {
		kek_table_drop(table, &entry->instance, &entry->uid);
		return ERR_LIMIT;
	}
	slot = slot_choose(table, entry, &was_empty);
	TRY(slot == NULL ? ERR_LIMIT : ERR_OK);
	note_use(table, slot, entry);
	bytes_copy(content.instance, entry->instance.text, sizeof(content.instance));
	bytes_copy(content.uid, entry->uid.bytes, sizeof(content.uid));
	content.counter = ++table->counter;
	content.sealed_len = entry->material.len + CRYPT_GCM_TAG_LEN;
	/* The generation that slot_write is about to give. */
	binding_fill(&binding, &content,
		atomic_load_explicit(&slot->generation, memory_order_relaxed) + 2);
	box = binding_box(table, &binding);
	TRY(crypt_seal(content.sealed, &box, entry->material));
	slot_write(slot, &content);
	table->count += was_empty;
out:
	return err;
}

void kek_table_drop(
	struct kek_table *table, const struct instance_id *instance, const struct uid *uid)
{
	ASSERT(is_keeper(table));
	for (size_t i = 0; i < probes(table); i++) {
		struct slot *slot = slot_at(table, uid, i);
		struct content content;

		slot_own(slot, &content);
		if (is_uid(&content, uid) && is_instance(&content, instance))
			slot_clear(table, slot);
	}
}

void kek_table_drop_instance(struct kek_table *table, const struct instance_id *instance)
{
	ASSERT(is_keeper(table));
	for (size_t i = 0; i < table->slot_count; i++) {
		struct content content;

		slot_own(&table->slots[i], &content);
		if (is_instance(&content, instance))
			slot_clear(table, &table->slots[i]);
	}
}

void kek_table_look(const struct kek_table *table, const struct kek_entry *of, uint64_t now_ms,
	struct kek_seen *out)
{
	ASSERT(is_keeper(table));
	*out = (struct kek_seen){ .has_room = false };
	for (size_t i = 0; i < probes(table); i++) {
		struct slot *slot = slot_at(table, &of->uid, i);
		struct content content;

		slot_own(slot, &content);
		out->has_room |= !is_spared(&content, now_ms);
		if (!is_uid(&content, &of->uid) || !is_instance(&content, &of->instance))
			continue;
		out->has_room = true;
		out->resident_until_ms = content.resident_until_ms;
		out->used_ms = table->used_ms[slot - table->slots];
	}
}

size_t kek_table_count(const struct kek_table *table)
{
	return table->count;
}

struct vouches *kek_table_vouches(const struct kek_table *table)
{
	return &table->header->vouches;
}

bool kek_table_is_keeper(const struct kek_table *table)
{
	return is_keeper(table);
}

/* ---- reading ---- */

static enum err slot_find(struct kek_table *table, const struct uid *uid, struct slot **out,
	struct content *content, uint64_t *generation)
{
	for (size_t i = 0; i < probes(table); i++) {
		*out = slot_at(table, uid, i);
		if (slot_read(*out, content, generation) && is_uid(content, uid))
			return ERR_OK;
	}
	return ERR_MISS;
}

static enum err content_open(struct kek_table *table, struct arena *arena,
	const struct content *content, uint64_t generation, struct slice *out)
{
	struct slice sealed = slice_of(content->sealed, content->sealed_len);
	struct binding binding;
	struct crypt_box box;
	uint8_t *material;

	binding_fill(&binding, content, generation);
	box = binding_box(table, &binding);
	material = arena_alloc(arena, sealed.len);
	if (material == NULL)
		return ERR_NOMEM;
	if (crypt_open(material, &box, sealed) != ERR_OK)
		return ERR_MISS;
	*out = slice_of(material, sealed.len - CRYPT_GCM_TAG_LEN);
	return ERR_OK;
}

/* Asked after the copy was opened: the entry may have been dropped meanwhile. */
static enum err judge(const struct kek_table *table, const struct content *content,
	struct slot *slot, uint64_t generation, uint64_t now_ms)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&slot->generation, memory_order_acquire) != generation ||
		now_ms >= content->resident_until_ms)
		return ERR_MISS;
	if (now_ms >= content->fresh_until_ms)
		return ERR_AGAIN;
	if (now_ms >= vouches_until(&table->header->vouches, (const char *) content->instance))
		return ERR_FORWARD;
	return ERR_OK;
}

enum err kek_table_get(struct kek_table *table, struct arena *arena,
	const struct instance_id *instance, const struct uid *uid, uint64_t now_ms,
	struct slice *out)
{
	struct slice material = SLICE_EMPTY;
	struct content content;
	uint64_t generation;
	struct slot *slot;
	enum err err;

	*out = SLICE_EMPTY;
	TRY(slot_find(table, uid, &slot, &content, &generation));
	TRY(is_instance(&content, instance) && content.sealed_len <= SEALED_MAX ? ERR_OK
										: ERR_MISS);
	TRY(content_open(table, arena, &content, generation, &material));
	err = judge(table, &content, slot, generation, now_ms);
	if (err == ERR_MISS)
		secret_wipe((void *) material.data, material.len);
	else
		*out = material;
out:
	return err;
}
