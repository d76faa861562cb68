#ifndef SSTOREFS_CACHE_ENTRY_IDS_H
#define SSTOREFS_CACHE_ENTRY_IDS_H

#include <stddef.h>
#include <stdint.h>

struct record;

/*
 * From serial number to record, in constant time. Numbers only grow, so the table is an array of
 * pages, and a page goes when its last record went: a process that runs for years keeps 8 bytes for
 * 512 numbers of the past.
 */
struct entry_ids {
	struct entry_id_page **pages;
	size_t page_count;
	uint32_t next; /* the next number to give out; 0 is never one */
};

void entry_ids_init(struct entry_ids *ids);
void entry_ids_free(struct entry_ids *ids);

/* A number never given out before. */
uint32_t entry_id_new(struct entry_ids *ids);

/* Makes `serial` stand for `record`; NULL: for nothing. Returns 0 or -ENOMEM. */
int entry_id_bind(struct entry_ids *ids, uint32_t entry_id, const struct record *record);
const struct record *entry_id_lookup(const struct entry_ids *ids, uint32_t entry_id);

#endif
