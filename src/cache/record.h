/*
 * The packed form of one entry, as it lies in a snapshot's chunk: the fixed part, the name with its
 * NUL, then fields of one tag byte, two length bytes where the size varies, and the content.
 */
#ifndef SSTOREFS_CACHE_RECORD_H
#define SSTOREFS_CACHE_RECORD_H

#include "sstorefs/record.h"

/*
 * The packed form of one entry (struct record in catalog.h), as it stands in a snapshot's chunk:
 * the fixed part, the name with its NUL, then fields of one tag byte, two length bytes where the
 * size is not always the same, and the content.
 */
#define RECORD_ALIGNMENT 4
#define RECORD_SIZE_MAX	 (32u << 10)

/* Room for any record while it is made. */
union record_room {
	struct record record;
	uint8_t bytes[RECORD_SIZE_MAX];
};

/*
 * Packs `entry` into `room`: its numbers are zero, its size a multiple of RECORD_ALIGNMENT. Texts
 * that are too long are cut. NULL for an entry without a name, or with one over 255 bytes.
 */
struct record *record_pack(union record_room *room, const struct entry *entry);

/* A tombstone for `name`, in the same way. */
struct record *record_pack_absent(union record_room *room, const char *name);

static inline size_t record_bytes(const struct record *record)
{
	return (size_t)record->size * RECORD_ALIGNMENT;
}

#endif
