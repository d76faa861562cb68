#pragma once

#include "record.h"
#include "sstorefs/snapshot.h"

/*
 * Snapshots from the inside, as a listing fills them.
 */
enum snapshot_state {
	SNAPSHOT_SEALED,  /* no walk fills it, or none any more */
	SNAPSHOT_FILLING, /* a walk fills it: becomes SEALED or FAILED, or STALE on a `refresh` */
	SNAPSHOT_STALE,	  /* a walk fills it, but everything was forgotten since it began */
	SNAPSHOT_FAILED,  /* its walk ended too early */
};

struct snapshot {
	unsigned references;
	uint8_t **chunks;
	size_t chunk_count;
	size_t used;	   /* bytes in the last chunk */
	size_t first_size; /* bytes of the first chunk; all others have one size */
	uint32_t *index;   /* hash of name to where the record begins, in units of RECORD_ALIGNMENT,
			      plus one; 0: free */
	size_t index_size; /* a power of two; 0 at first */
	size_t indexed;	   /* records in the index, tombstones included */
	size_t present;	   /* records that are neither deleted nor superseded */
	size_t superseded;
	uint64_t last_found;	 /* where the record begins that was found last */
	uint64_t names_too_long; /* names over 255 bytes that the service listed */
	enum snapshot_state state;
	struct failure failure; /* SNAPSHOT_FAILED: why */
	struct wait_list waits;
};

/* Returns an empty, sealed snapshot with one reference. NULL when memory ran out. */
struct snapshot *snapshot_new(void);

/* Returns the record of `name`, tombstones included, superseded ones never. NULL: none, as in the
 * `snapshot` NULL. */
struct record *snapshot_find(struct snapshot *snapshot, const char *name);

/*
 * Adds a copy of `image`, numbers and flags included, or replaces the content of the record with
 * its name. That keeps its own numbers and flags (but for `deleted`), and its place if the image
 * fits there; else it moves to the end, and the old record is superseded. Returns the record, or
 * NULL when memory ran out: nothing has changed then.
 */
struct record *snapshot_put(struct snapshot *snapshot, const struct record *image);

/* Turns a record into a tombstone, or back into a record. */
void snapshot_set_deleted(struct snapshot *snapshot, struct record *record, bool deleted);

/* Makes directories not show `name` at the places of superseded records any more. */
void snapshot_forget_superseded(struct snapshot *snapshot, const char *name);

/* Ends the filling; `failure` is copied, NULL: the walk was whole. Wakes no waits. */
void snapshot_seal(struct snapshot *snapshot, const struct failure *failure);

/* As snapshot_next, but all records that are not superseded, tombstones included, each at the place
 * where it is. */
struct record *snapshot_step(const struct snapshot *snapshot, uint64_t *position);

/* True if a copy without tombstones and superseded records is worth its cost. */
bool snapshot_needs_compaction(const struct snapshot *snapshot);
