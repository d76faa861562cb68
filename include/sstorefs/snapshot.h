#ifndef SSTOREFS_SNAPSHOT_H
#define SSTOREFS_SNAPSHOT_H

#include "sstorefs/failure.h"
#include "sstorefs/record.h"
#include "sstorefs/wait.h"

/*
 * Snapshots: the records of one listing, shared by all who read it.
 */

/*
 * One walk's worth of a listing: records in the order in which they came, only ever appended to.
 * Shared by the listing and all directories that were opened on it; freed with the last of them.
 */
struct snapshot;

struct snapshot *snapshot_reference(struct snapshot *snapshot);

void snapshot_release(struct snapshot *snapshot);

/*
 * The first record at or after `*position` (0 is the beginning) that a directory shows; `*position`
 * then is where the next one may begin. NULL at the present end, `*position` untouched. What the
 * record says may be old: what is known now is catalog_record() of its serial number, and NULL
 * there means that it went.
 */
const struct record *snapshot_next(const struct snapshot *snapshot, uint64_t *position);

/* The nearest position at or after `position` where a record may begin, for positions that come
 * from outside. */
uint64_t snapshot_align_position(const struct snapshot *snapshot, uint64_t position);

/* Whether more records will come; and once none will, why the walk failed (NULL: it is whole). */
bool snapshot_is_filling(const struct snapshot *snapshot);

const struct failure *snapshot_failure(const struct snapshot *snapshot);

/* Whether it grows, but all was forgotten since (`refresh`): what it brings is not what is asked
 * for now. */
bool snapshot_is_stale(const struct snapshot *snapshot);

/* Woken at every page, when an attempt to fetch one failed, and at the end. */
struct wait_list *snapshot_waits(struct snapshot *snapshot);

#endif
