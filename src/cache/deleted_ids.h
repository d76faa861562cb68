#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Ids of secrets whose deletion the service has accepted and may not have carried out yet (HTTP
 * 202): listings can show them for a moment. A service never uses an id again, so they can be
 * filtered out. Zeroed when empty.
 */
#define DELETED_IDS_MAX 256 /* the newest replaces the oldest */

struct deleted_ids {
	struct deleted_id {
		char id[64];
		uint64_t until; /* CLOCK_BOOTTIME, milliseconds */
	} ids[DELETED_IDS_MAX];
	unsigned next;
	uint64_t last_until;
};

/* Adds an id at the time `now`, CLOCK_BOOTTIME milliseconds; ignores one over 63 bytes. */
void deleted_ids_add(struct deleted_ids *deleted, const char *id, uint64_t now);

/* True if the id was added less than some seconds before `now`. */
bool deleted_ids_contains(const struct deleted_ids *deleted, const char *id, uint64_t now);
