#ifndef SSTOREFS_CACHE_DELETED_IDS_H
#define SSTOREFS_CACHE_DELETED_IDS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Ids of secrets whose deletion the service has accepted and may not have carried out yet: listings
 * can show them for a moment. Ids are never used again, so that it does no harm to pass them over.
 * Zeroed when empty.
 */
#define DELETED_IDS_MAX 256 /* the oldest makes room for the newest */

struct deleted_ids {
	struct deleted_id {
		char id[64];
		uint64_t until; /* CLOCK_BOOTTIME, milliseconds */
	} ids[DELETED_IDS_MAX];
	unsigned next;
	uint64_t last_until;
};

void deleted_ids_add(struct deleted_ids *deleted, const char *id, uint64_t now);
bool deleted_ids_contains(const struct deleted_ids *deleted, const char *id, uint64_t now);

#endif
