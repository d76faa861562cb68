#ifndef SSTOREFS_STORE_RECORD_H
#define SSTOREFS_STORE_RECORD_H

#include "sstorefs/catalog.h"

/*
 * The packed form of one entry (struct record in catalog.h), as it stands in a snapshot's chunk: the fixed part, the name with its
 * NUL, then fields of one tag byte, two length bytes and the content.
 */
#define RECORD_ALIGNMENT 4
#define RECORD_SIZE_MAX	 (32u << 10)

/* Bytes that `entry` takes when packed, a multiple of RECORD_ALIGNMENT, at most RECORD_SIZE_MAX: longer texts are cut. */
size_t record_size(const struct entry *entry);

/* Packs `entry` into `record`, which has record_size() bytes; the numbers of the fixed part are left as they are. */
void record_pack(struct record *record, const struct entry *entry);

#endif
