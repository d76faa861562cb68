/*
 * The table of serial numbers: which record each stands for now.
 */
#include "entry_ids.h"

#include <errno.h>
#include <stdlib.h>

#include "record.h"

#define PAGE_RECORDS 512

/*
 * Records of neighbouring numbers nearly always came on the same page of the service, and lie near each other: their distance
 * takes half of what their address does.
 */
struct serial_page {
	unsigned used;
	uintptr_t base;			 /* an address near the first record */
	int32_t distances[PAGE_RECORDS]; /* from there, in units of RECORD_ALIGNMENT; 0: no record */
	const struct record **records;	 /* all of them, once one was too far away; else NULL */
};

static void page_free(struct serial_page *page)
{
	if (page)
		free(page->records);
	free(page);
}

static const struct record *page_record(const struct serial_page *page, uint32_t number)
{
	intptr_t distance = page->distances[number];

	if (page->records)
		return page->records[number];
	return distance ? (const struct record *)(page->base + (uintptr_t)(distance * RECORD_ALIGNMENT))
			: NULL;
}

/* From now on addresses. 0 or -ENOMEM. */
static int page_widen(struct serial_page *page)
{
	const struct record **records = calloc(PAGE_RECORDS, sizeof *records);

	if (!records)
		return -ENOMEM;
	for (uint32_t i = 0; i < PAGE_RECORDS; i++)
		records[i] = page_record(page, i);
	page->records = records;
	return 0;
}

static int page_point(struct serial_page *page, uint32_t number, const struct record *record)
{
	intptr_t distance;

	/* Never a distance of 0: nothing is just before the first one. */
	if (!page->used)
		page->base = (uintptr_t)record - RECORD_ALIGNMENT;
	distance = record ? (intptr_t)((uintptr_t)record - page->base) / RECORD_ALIGNMENT : 0;
	if (!page->records && (distance != (int32_t)distance || (record && !distance)) && page_widen(page))
		return -ENOMEM;
	page->used += record != NULL;
	page->used -= page_record(page, number) != NULL;
	if (page->records)
		page->records[number] = record;
	else
		page->distances[number] = (int32_t)distance;
	return 0;
}

void serials_init(struct serials *serials)
{
	*serials = (struct serials){.next = 1};
}

void serials_finish(struct serials *serials)
{
	for (size_t i = 0; i < serials->page_count; i++)
		page_free(serials->pages[i]);
	free(serials->pages);
	*serials = (struct serials){0};
}

uint32_t serials_take(struct serials *serials)
{
	return serials->next++;
}

static int make_page(struct serials *serials, size_t number)
{
	if (number >= serials->page_count) {
		size_t count = number + number / 2 + 8;
		struct serial_page **pages = realloc(serials->pages, count * sizeof *pages);

		if (!pages)
			return -ENOMEM;
		for (size_t i = serials->page_count; i < count; i++)
			pages[i] = NULL;
		serials->pages = pages;
		serials->page_count = count;
	}
	if (!serials->pages[number])
		serials->pages[number] = calloc(1, sizeof **serials->pages);
	return serials->pages[number] ? 0 : -ENOMEM;
}

int serials_point(struct serials *serials, uint32_t serial, const struct record *record)
{
	size_t number = serial / PAGE_RECORDS;
	struct serial_page *page;

	if (!record && (number >= serials->page_count || !serials->pages[number]))
		return 0;
	if (record && make_page(serials, number))
		return -ENOMEM;
	page = serials->pages[number];
	if (page_point(page, serial % PAGE_RECORDS, record))
		return -ENOMEM;
	if (!page->used) {
		serials->pages[number] = NULL;
		page_free(page);
	}
	return 0;
}

const struct record *serials_record(const struct serials *serials, uint32_t serial)
{
	size_t number = serial / PAGE_RECORDS;

	if (number >= serials->page_count || !serials->pages[number])
		return NULL;
	return page_record(serials->pages[number], serial % PAGE_RECORDS);
}
