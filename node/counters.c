/* SPDX-License-Identifier: Apache-2.0 */
#include "node/counters.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/slice.h"

struct counters_page {
	struct counters *parts;
	uint32_t count;
	int fd; /* -1 in a worker */
};

static size_t page_len(uint32_t parts)
{
	return parts * sizeof(struct counters);
}

static enum err page_map(struct counters_page *page, int fd)
{
	void *mapped = mmap(NULL, page_len(page->count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (mapped == MAP_FAILED)
		return ERR_SYS;
	page->parts = mapped;
	return ERR_OK;
}

enum err counters_page_new(struct counters_page **out, uint32_t parts)
{
	struct counters_page *page = calloc(1, sizeof(*page));
	enum err err = ERR_NOMEM;

	ASSERT(parts >= 1 && parts <= COUNTERS_PARTS_MAX);
	if (page == NULL)
		goto out;
	*page = (struct counters_page){ .count = parts, .fd = -1 };
	page->fd = memfd_create("counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	TRY(page->fd < 0 || ftruncate(page->fd, (off_t) page_len(parts)) != 0 ? ERR_SYS : ERR_OK);
	TRY(page_map(page, page->fd));
	TRY(fcntl(page->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ? ERR_SYS
											 : ERR_OK);
	*out = page;
	page = NULL;
out:
	counters_page_free(page);
	return err;
}

/* The seals keep a page from shrinking under its readers. */
static enum err page_measure(struct counters_page *page, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat info;

	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &info) != 0 ||
		info.st_size % (off_t) sizeof(struct counters) != 0)
		return ERR_INVALID;
	page->count = (uint32_t) (info.st_size / (off_t) sizeof(struct counters));
	return page->count == 0 || page->count > COUNTERS_PARTS_MAX ? ERR_INVALID : ERR_OK;
}

enum err counters_page_attach(struct counters_page **out, int fd)
{
	struct counters_page *page = calloc(1, sizeof(*page));
	enum err err = ERR_NOMEM;

	if (page == NULL)
		goto out;
	page->fd = -1;
	TRY(page_measure(page, fd));
	TRY(page_map(page, fd));
	*out = page;
	page = NULL;
out:
	counters_page_free(page);
	return err;
}

void counters_page_free(struct counters_page *page)
{
	if (page == NULL)
		return;
	if (page->parts != NULL)
		(void) munmap(page->parts, page_len(page->count));
	if (page->fd >= 0)
		(void) close(page->fd);
	free(page);
}

int counters_page_fd(const struct counters_page *page)
{
	return page->fd;
}

enum err counters_page_part(struct counters **out, struct counters_page *page, uint32_t number)
{
	if (number >= page->count)
		return ERR_LIMIT;
	*out = &page->parts[number];
	return ERR_OK;
}

void counters_close_part(struct counters *counters)
{
	atomic_store_explicit(&counters->plain[COUNTER_CONNECTIONS], 0, memory_order_relaxed);
}

void counters_on_item(void *ctx, const struct kmip_item_record *record)
{
	struct counters *counters = ctx;
	uint32_t operation = record->code < COUNTERS_OPERATIONS ? record->code : 0;

	ASSERT(record->err < ERR_COUNT);
	tally_add(&counters->items[operation][record->err], 1);
	histogram_note(&counters->item_took[operation], record->took_us);
}

static uint64_t value_of(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

uint64_t counters_page_total(const struct counters_page *page, enum counter counter)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < page->count; i++)
		total += value_of(&page->parts[i].plain[counter]);
	return total;
}

uint64_t counters_page_refused(const struct counters_page *page)
{
	uint64_t total = 0;

	for (int i = COUNTER_HANDSHAKES_GOOD + 1; i < COUNTER_COUNT; i++)
		total += counters_page_total(page, (enum counter) i);
	return total;
}

static void sum_add(struct counters_sum *sum, const struct counters *part)
{
	for (size_t operation = 0; operation < COUNTERS_OPERATIONS; operation++) {
		for (size_t result = 0; result < ERR_COUNT; result++)
			sum->items[operation][result] += value_of(&part->items[operation][result]);
		histogram_add(&sum->item_took[operation], &part->item_took[operation]);
	}
	for (size_t i = 0; i < COUNTERS_FRAMES; i++)
		histogram_add(&sum->frame_took[i], &part->frame_took[i]);
	for (size_t i = 0; i < KEYSTORE_LOOKUPS; i++)
		sum->lookups[i] += value_of(&part->lookups.counts[i]);
}

void counters_page_sum(const struct counters_page *page, struct counters_sum *out)
{
	bytes_zero(out, sizeof(*out));
	for (uint32_t i = 0; i < page->count; i++)
		sum_add(out, &page->parts[i]);
	for (int i = 0; i < COUNTER_COUNT; i++)
		out->plain[i] = counters_page_total(page, (enum counter) i);
}
