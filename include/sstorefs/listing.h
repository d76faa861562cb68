#ifndef SSTOREFS_LISTING_H
#define SSTOREFS_LISTING_H

#include "sstorefs/snapshot.h"

/*
 * Listings: what is known of one directory, how fresh it is, and how own changes get into it.
 */

struct listing;

/*
 * A store that somebody looked at. Referenced by whoever keeps a pointer over a turn of the loop.
 */
struct store;

/* The store whose secrets a listing holds; NULL for the listing of stores. */
struct store *listing_store(const struct listing *listing);

/* Whether what the listing says (of `record`, or of names that it does not have if NULL) is past
 * its time and the refresh had a failed attempt. */
bool listing_is_stale(const struct listing *listing, const struct record *record);

/* Milliseconds for which an answer from memory about `record` (NULL: about an absent name) is still
 * fresh and not past its expiry; at least 0. */
uint64_t listing_time_left(const struct listing *listing, const struct record *record);

/* What memory says of a name. */
enum cache_result { CACHE_HIT, CACHE_NEGATIVE, CACHE_MISS };

/*
 * Answers from memory. Sets `*record` when it is present. An answer past its time is given all the
 * same, and refreshed in the background.
 */
enum cache_result listing_query(struct listing *listing, const char *name,
				const struct record **record);

/* What is known to be there under a name, however old, and even if it is in doubt; NULL: nothing.
 * Nothing is begun. */
const struct record *listing_peek_any(const struct listing *listing, const char *name);

/* As listing_query, for an entry found by its serial: begins a refresh in the background where the
 * record is past its time. */
void listing_revalidate(struct listing *listing, const struct record *record);

/* Whether the last attempt to refresh it failed. */
bool listing_last_refresh_failed(const struct listing *listing);

/*
 * The snapshot a directory shows when it is opened now; begins a walk where one is due. Referenced
 * for the caller. NULL with `failure` set when there is nothing to show and the service can't be
 * asked.
 */
struct snapshot *listing_open_view(struct listing *listing, struct failure *failure);

/* The last whole listing, however old, referenced for the caller; NULL: there never was one. */
struct snapshot *listing_last_complete(struct listing *listing);

/* Our own changes, once the service has accepted them. `serial` 0: a new one when the name is new.
 * Return the record, NULL when memory ran out. */
const struct record *listing_local_put(struct listing *listing, const struct entry *entry,
				       uint32_t entry_id);

void listing_local_delete(struct listing *listing, const char *name);

/* `to`, which was put before, is what `from` was: `serial`, the number of `from`, stands for it
 * from now on. */
void listing_local_rename(struct listing *listing, const char *from, const char *to,
			  uint32_t entry_id);

/* What is known of `name` is no longer believed: the next question about it goes to the service. If
 * it turns out to be there, and was not before, it gets the number `serial` (0: any). */
void listing_invalidate(struct listing *listing, const char *name, uint32_t entry_id);

/* The file `serial` has lost its name, or goes on under another one: what is there as `name`, or
 * will be found, has a number of its own. */
void listing_reassign_id(struct listing *listing, const char *name, uint32_t entry_id);

/* Whether `name` must be read again before it is believed. */
bool listing_is_invalid(const struct listing *listing, const char *name);

#endif
