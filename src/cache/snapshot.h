/*
 * Snapshots as the listing that fills them sees them. Other rooms read them through
 * sstorefs/snapshot.h.
 */
#ifndef SSTOREFS_CACHE_SNAPSHOT_H
#define SSTOREFS_CACHE_SNAPSHOT_H

#include "record.h"
#include "sstorefs/snapshot.h"

/*
 * Snapshots as the listing that fills them sees them; the rest of the world reads them through
 * catalog.h.
 */
struct snapshot {
	unsigned references;
	uint8_t **chunks;
	size_t chunk_count;
	size_t used;	   /* bytes in the last chunk */
	size_t first_size; /* bytes the first chunk has; all others are of one size */
	uint32_t *index;   /* hash of name to where the record begins, in units of RECORD_ALIGNMENT,
			      plus one; 0: free */
	size_t index_size; /* a power of two; 0 at first */
	size_t indexed;	   /* records the index holds, tombstones included */
	size_t present;	   /* records neither gone nor dead */
	size_t superseded; /* records that another one took the place of */
	uint64_t last_found;	 /* where the record begins that was found last */
	uint64_t names_too_long; /* names over 255 bytes that the service listed */
	bool is_filling;
	bool is_stale; /* all was forgotten while it grew */
	bool failed;   /* it stopped growing too early, and why */
	struct failure *failure;
	struct wait_list waits;
};

/* An empty snapshot that is not growing, with one reference. NULL when memory ran out. */
struct snapshot *snapshot_new(void);

/* The record of `name`, tombstones included, dead ones never. NULL: none. */
struct record *snapshot_find(struct snapshot *snapshot, const char *name);

/*
 * Adds a copy of `image`, numbers and all, or puts it in the place of the record that has its name:
 * then the numbers of that one are kept (but for `gone`), and so is its memory if the image fits
 * there; else it goes to the end and the old one is dead. Returns NULL when memory ran out: nothing
 * changed then.
 */
struct record *snapshot_put(struct snapshot *snapshot, const struct record *image);

/* Turns a record into a tombstone, or back into a record. */
void snapshot_set_deleted(struct snapshot *snapshot, struct record *record, bool gone);

/* The end of growing; `failure` is copied, NULL: it is whole. Wakes who waits. */
void snapshot_seal(struct snapshot *snapshot, const struct failure *failure);

/* Like snapshot_next, but all that are not dead, each where it really is, tombstones included. */
struct record *snapshot_step(const struct snapshot *snapshot, uint64_t *position);

/* Whether a copy without tombstones and dead records would be worth its while. */
bool snapshot_needs_compaction(const struct snapshot *snapshot);

#endif
