#ifndef SSTOREFS_RECORD_H
#define SSTOREFS_RECORD_H

#include "sstorefs/entry.h"
#include <stdint.h>

/*
 * Records: what is cached of one store or secret.
 */

/*
 * What is known of one store or secret. Packed into a snapshot: 100 000 of them are a normal size.
 * Read-only outside the store room; a pointer is good until the loop's next turn.
 */
struct record {
	uint32_t entry_id; /* of the entry: new for every creation, never used again in this process
			    */
	uint32_t changed_at;   /* last change in whole seconds since 1970; 0: unknown */
	uint32_t verified_at;  /* when the service last told it, CLOCK_BOOTTIME, 1/16 s; 0: too long
				  ago */
	uint32_t listing : 24; /* number of its listing */
	uint32_t deleted : 1;  /* known not to exist: a tombstone */
	uint32_t superseded : 1; /* another record took its place in this snapshot */
	uint32_t relocated : 1;	 /* it took the place of a dead one, where directories go on showing
				    it */
	uint32_t
		invalid : 1; /* not to be believed: an outcome is unknown until it was read again */
	uint32_t walk_round : 2;   /* of a walk that goes round again: the one in which it was last
				      seen */
	uint32_t local_change : 1; /* our own change to it was completed while the walk ran that
				      runs now, or ran last */
	uint16_t size;		   /* of the whole, in units of RECORD_ALIGNMENT */
	uint8_t name_length;
	uint8_t expires : 1;	  /* has an expiry: look at it before you believe the record */
	uint8_t mtime_has_ns : 1; /* its last change is told finer than changed_at */
	char name[];		  /* displayed; the fields follow */
};

/* Unpacks a record. Texts point into the record or into `entry`'s own memory and live as long as
 * both. */
struct entry_text {
	char digest[64];
};

void record_entry(const struct record *record, struct entry *entry, struct entry_text *text);

/* Single fields without unpacking the rest; NULL and TIME_UNKNOWN where absent. */
const char *record_id(const struct record *record);

wall_time_ns record_changed_at(const struct record *record);

wall_time_ns record_expires_at(const struct record *record);

#endif
