#pragma once

#include <stdint.h>

#include "sstorefs/entry.h"

/*
 * A record: what is cached of one store or secret, packed into a snapshot (100 000 of them are a
 * normal number). Read-only outside the cache; a pointer is valid until the loop's next iteration.
 *
 *   state       fields                 entry_id   begins                      ends
 *   present     none of the below      not 0      page, response, own put     deleted, invalid
 *   deleted     deleted                0          ENOENT, own delete,         present, invalid,
 *                                                 missing in a new walk       compaction
 *   invalid     invalid, perhaps       any        an outcome is unknown       present, deleted:
 *               deleted                                                       read again
 *   superseded  superseded             any        it grew and moved away      with the snapshot
 *
 * `relocated` belongs to a record that moved in its snapshot and is not deleted. `local_change` is
 * possible in every state, but only while listing.has_local_changes. The entry id of a record that
 * is not deleted leads to a record of the same listing, which is not deleted, or to none.
 * record_check (cache/invariants.c) asserts this where records change.
 */
struct record {
	uint32_t entry_id;     /* new for every creation, never used again in this process */
	uint32_t changed_at;   /* last change in whole seconds since 1970; 0: unknown */
	uint32_t verified_at;  /* when the service last told it: CLOCK_BOOTTIME, 1/16 s; 0: too long
				  ago */
	uint32_t listing : 24; /* number of its listing */
	uint32_t deleted : 1;  /* a tombstone: known not to exist */
	uint32_t superseded : 1;   /* another record of the snapshot has replaced it */
	uint32_t relocated : 1;	   /* it replaced a record at whose place directories show it */
	uint32_t invalid : 1;	   /* an outcome is unknown: not used until it was read again */
	uint32_t walk_round : 2;   /* the round of the walk in which the service listed it last */
	uint32_t local_change : 1; /* changed by this mount since the last walk began */
	uint16_t size;		   /* of the whole record, in units of RECORD_ALIGNMENT */
	uint8_t name_length;
	uint8_t expires : 1;	  /* has an expiry: compare it before use */
	uint8_t mtime_has_ns : 1; /* its last change does not fit changed_at */
	char name[];		  /* displayed; the packed fields follow */
};

/* Memory for texts that record_entry has to make. */
struct entry_text {
	char digest[64];
};

/* Unpacks a record. Texts point into the record or into `text`, and are valid as long as both. */
void record_entry(const struct record *record, struct entry *entry, struct entry_text *text);

/* Return single fields without unpacking the rest; NULL and TIME_UNKNOWN where they are absent. */
const char *record_id(const struct record *record);
wall_time_ns record_changed_at(const struct record *record);
wall_time_ns record_expires_at(const struct record *record);
