#ifndef SSTOREFS_STORE_SNAPSHOT_H
#define SSTOREFS_STORE_SNAPSHOT_H

#include "record.h"

/*
 * Snapshots as the listing that fills them sees them; the rest of the world reads them through catalog.h.
 */
struct snapshot {
	unsigned references;
	uint8_t **chunks;
	size_t chunk_count;
	size_t used;	   /* bytes in the last chunk */
	size_t first_size; /* bytes the first chunk has; all others are of one size */
	uint32_t *
		index; /* hash of name to where the record begins, in units of RECORD_ALIGNMENT, plus one; 0: free */
	size_t index_size; /* a power of two; 0 at first */
	size_t indexed;	   /* records the index holds, tombstones included */
	size_t present;	   /* records neither gone nor dead */
	uint64_t left_out; /* names over 255 bytes that the service listed */
	bool grows;
	bool failed; /* it stopped growing too early, and why */
	struct failure *failure;
	struct wait_list waits;
};

/* An empty snapshot that is not growing, with one reference. NULL when memory ran out. */
struct snapshot *snapshot_new(void);

/* The record of `name`, tombstones included, dead ones never. NULL: none. */
struct record *snapshot_find(const struct snapshot *snapshot, const char *name);

/*
 * Adds `entry`, or puts it in the place of the record that has its name (in the same memory where it fits, else at the end: a directory that
 * is being read may then show the name twice or not at all, as POSIX allows for what changes meanwhile). The numbers of the fixed part are kept
 * from the old record or zero. Returns NULL when memory ran out: nothing changed then.
 */
struct record *snapshot_put(struct snapshot *snapshot, const struct entry *entry);

/* Turns a record into a tombstone, or back into a record. */
void snapshot_set_gone(struct snapshot *snapshot, struct record *record, bool gone);

/* The end of growing; `failure` is copied, NULL: it is whole. Wakes who waits. */
void snapshot_end(struct snapshot *snapshot, const struct failure *failure);

/* Like snapshot_next, with tombstones. */
struct record *snapshot_step(const struct snapshot *snapshot, uint64_t *position);

#endif
