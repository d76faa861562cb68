#pragma once

#include "sstorefs/failure.h"
#include "sstorefs/record.h"
#include "sstorefs/wait.h"

/*
 * The records of one walk of a listing, in the order in which they came; only ever appended to.
 * Shared by the listing and all directories that were opened on it, and freed with the last
 * reference.
 */
struct snapshot;

/* Adds a reference. Returns `snapshot`. */
struct snapshot *snapshot_reference(struct snapshot *snapshot);

/* Drops a reference; NULL: nothing. */
void snapshot_release(struct snapshot *snapshot);

/*
 * Returns the first record at or after `*position` (0: the beginning) that a directory shows, and
 * sets `*position` to where the next one may begin. NULL at the present end, with `*position`
 * untouched. The record may be old: catalog_record() of its entry id is the present one, and NULL
 * there means that the entry is deleted.
 */
const struct record *snapshot_next(const struct snapshot *snapshot, uint64_t *position);

/* Returns the nearest position at or after `position` where a record may begin: for positions from
 * outside, which may be any number. */
uint64_t snapshot_align_position(const struct snapshot *snapshot, uint64_t position);

/* True while more records may come. */
bool snapshot_is_filling(const struct snapshot *snapshot);

/* Returns why the walk of a snapshot failed; NULL if it has not. */
const struct failure *snapshot_failure(const struct snapshot *snapshot);

/* True if records may come, but everything was forgotten since the walk began (`refresh`): they do
 * not answer a request of now. */
bool snapshot_is_stale(const struct snapshot *snapshot);

/* Returns what is woken at every page, when an attempt to fetch one failed, and at the end. */
struct wait_list *snapshot_waits(struct snapshot *snapshot);
