#pragma once

#include "sstorefs/record.h"

/*
 * The packed form of one entry in a snapshot's chunk: the fixed part (struct record), the name with
 * its NUL, then fields of one tag byte, two length bytes where the size varies, and the content.
 */
#define RECORD_ALIGNMENT 4
#define RECORD_SIZE_MAX	 (32u << 10)
/* Bytes of a text, with its NUL: seven such and all else fit a record. Longer ones are cut. */
#define RECORD_TEXT_MAX (RECORD_SIZE_MAX / 8)

/* Memory for any record while it is packed. */
union record_room {
	struct record record;
	uint8_t bytes[RECORD_SIZE_MAX];
};

/*
 * Packs `entry` into `room`; entry id, listing and flags of its state are zero. Texts that are too
 * long are cut. Returns NULL for an entry without a name, or with one over 255 bytes.
 */
struct record *record_pack(union record_room *room, const struct entry *entry);

/* Packs a tombstone for `name` in the same way. */
struct record *record_pack_absent(union record_room *room, const char *name);

/* Returns the size of the whole record in bytes. */
static inline size_t record_bytes(const struct record *record)
{
	return (size_t)record->size * RECORD_ALIGNMENT;
}
