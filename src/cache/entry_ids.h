#pragma once

#include <stddef.h>
#include <stdint.h>

struct record;

/*
 * Leads from entry id to record in constant time. Ids only grow, so the table is an array of pages,
 * and a page is freed with its last record: a process that runs for years keeps 8 bytes for 512 ids
 * of the past.
 */
struct entry_ids {
	struct entry_id_page **pages;
	size_t page_count;
	uint32_t next; /* the next new id; 0 is none */
};

/* Begin and end a table; the records are not its own. */
void entry_ids_init(struct entry_ids *ids);
void entry_ids_free(struct entry_ids *ids);

/* Returns an id that was never returned before. */
uint32_t entry_id_new(struct entry_ids *ids);

/* Makes `entry_id` lead to `record`; NULL: to none. Returns 0 or -ENOMEM. */
int entry_id_bind(struct entry_ids *ids, uint32_t entry_id, const struct record *record);

/* Returns the record of `entry_id`; NULL: none. */
const struct record *entry_id_lookup(const struct entry_ids *ids, uint32_t entry_id);
