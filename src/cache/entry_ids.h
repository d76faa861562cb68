#ifndef SSTOREFS_CACHE_ENTRY_IDS_H
#define SSTOREFS_CACHE_ENTRY_IDS_H

#include <stddef.h>
#include <stdint.h>

struct record;

/*
 * From serial number to record, in constant time. Numbers only grow, so the table is an array of pages, and a page goes when its last record
 * went: a process that runs for years keeps 8 bytes for 512 numbers of the past.
 */
struct serials {
	struct serial_page **pages;
	size_t page_count;
	uint32_t next; /* the next number to give out; 0 is never one */
};

void serials_init(struct serials *serials);
void serials_finish(struct serials *serials);

/* A number never given out before. */
uint32_t serials_take(struct serials *serials);

/* Makes `serial` stand for `record`; NULL: for nothing. Returns 0 or -ENOMEM. */
int serials_point(struct serials *serials, uint32_t serial, const struct record *record);
const struct record *serials_record(const struct serials *serials, uint32_t serial);

#endif
