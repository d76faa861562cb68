/*
 * The table of serial numbers: which record each stands for now.
 */
#include "serial.h"

#include <errno.h>
#include <stdlib.h>

#define PAGE_RECORDS 512

struct serial_page {
	unsigned used;
	const struct record *records[PAGE_RECORDS];
};

void serials_init(struct serials *serials)
{
	*serials = (struct serials){.next = 1};
}

void serials_finish(struct serials *serials)
{
	for (size_t i = 0; i < serials->page_count; i++)
		free(serials->pages[i]);
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
	const struct record **slot;
	struct serial_page *page;

	if (!record && (number >= serials->page_count || !serials->pages[number]))
		return 0;
	if (record && make_page(serials, number))
		return -ENOMEM;
	page = serials->pages[number];
	slot = &page->records[serial % PAGE_RECORDS];
	page->used += (record != NULL);
	page->used -= (*slot != NULL);
	*slot = record;
	if (!page->used) {
		serials->pages[number] = NULL;
		free(page);
	}
	return 0;
}

const struct record *serials_record(const struct serials *serials, uint32_t serial)
{
	size_t number = serial / PAGE_RECORDS;

	if (number >= serials->page_count || !serials->pages[number])
		return NULL;
	return serials->pages[number]->records[serial % PAGE_RECORDS];
}
