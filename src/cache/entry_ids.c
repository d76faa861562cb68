/* The table of entry ids: leads from each to its present record. */
#include "entry_ids.h"

#include <errno.h>
#include <stdlib.h>

#include "record.h"

#define PAGE_RECORDS 512

/*
 * Records with neighbouring ids nearly always came on the same page of the service and are near
 * each other in memory: a distance takes half the space of an address.
 */
struct entry_id_page {
	unsigned used;
	uintptr_t base;			 /* an address near the first record */
	int32_t distances[PAGE_RECORDS]; /* in units of RECORD_ALIGNMENT; 0: no record */
	const struct record **records;	 /* all of them, once one was too far away; else NULL */
};

static void page_free(struct entry_id_page *page)
{
	if (page)
		free(page->records);
	free(page);
}

static const struct record *page_record(const struct entry_id_page *page, uint32_t number)
{
	intptr_t distance = page->distances[number];

	if (page->records)
		return page->records[number];
	return distance ? (const struct record *)(page->base +
						  (uintptr_t)(distance * RECORD_ALIGNMENT))
			: NULL;
}

/* Replaces distances by addresses. Returns 0 or -ENOMEM. */
static int page_widen(struct entry_id_page *page)
{
	const struct record **records = calloc(PAGE_RECORDS, sizeof *records);

	if (!records)
		return -ENOMEM;
	for (uint32_t i = 0; i < PAGE_RECORDS; i++)
		records[i] = page_record(page, i);
	page->records = records;
	return 0;
}

static int page_point(struct entry_id_page *page, uint32_t number, const struct record *record)
{
	intptr_t distance;

	/* The base is before the first record, so that its distance is not 0. */
	if (!page->used)
		page->base = (uintptr_t)record - RECORD_ALIGNMENT;
	distance = record ? (intptr_t)((uintptr_t)record - page->base) / RECORD_ALIGNMENT : 0;
	if (!page->records && (distance != (int32_t)distance || (record && !distance)) &&
	    page_widen(page))
		return -ENOMEM;
	page->used += record != NULL;
	page->used -= page_record(page, number) != NULL;
	if (page->records)
		page->records[number] = record;
	else
		page->distances[number] = (int32_t)distance;
	return 0;
}

void entry_ids_init(struct entry_ids *ids)
{
	*ids = (struct entry_ids){.next = 1};
}

void entry_ids_free(struct entry_ids *ids)
{
	for (size_t i = 0; i < ids->page_count; i++)
		page_free(ids->pages[i]);
	free(ids->pages);
	*ids = (struct entry_ids){0};
}

uint32_t entry_id_new(struct entry_ids *ids)
{
	return ids->next++;
}

static int make_page(struct entry_ids *ids, size_t number)
{
	if (number >= ids->page_count) {
		size_t count = number + number / 2 + 8;
		struct entry_id_page **pages = realloc(ids->pages, count * sizeof *pages);

		if (!pages)
			return -ENOMEM;
		for (size_t i = ids->page_count; i < count; i++)
			pages[i] = NULL;
		ids->pages = pages;
		ids->page_count = count;
	}
	if (!ids->pages[number])
		ids->pages[number] = calloc(1, sizeof **ids->pages);
	return ids->pages[number] ? 0 : -ENOMEM;
}

int entry_id_bind(struct entry_ids *ids, uint32_t entry_id, const struct record *record)
{
	size_t number = entry_id / PAGE_RECORDS;
	struct entry_id_page *page;

	if (!record && (number >= ids->page_count || !ids->pages[number]))
		return 0;
	if (record && make_page(ids, number))
		return -ENOMEM;
	page = ids->pages[number];
	if (page_point(page, entry_id % PAGE_RECORDS, record))
		return -ENOMEM;
	if (!page->used) {
		ids->pages[number] = NULL;
		page_free(page);
	}
	return 0;
}

const struct record *entry_id_lookup(const struct entry_ids *ids, uint32_t entry_id)
{
	size_t number = entry_id / PAGE_RECORDS;

	if (number >= ids->page_count || !ids->pages[number])
		return NULL;
	return page_record(ids->pages[number], entry_id % PAGE_RECORDS);
}
