#pragma once

#include "sstorefs/snapshot.h"

/*
 * Listings: what is cached of one directory, how fresh that is, and how local changes are merged
 * into it.
 */
struct listing;
struct store;

/* Returns the store whose secrets a listing holds; NULL for the listing of stores. */
struct store *listing_store(const struct listing *listing);

/* True if the cached answer about `record` (NULL: about an absent name) has outlived its time to
 * live and the last attempt to refresh it failed. */
bool listing_is_stale(const struct listing *listing, const struct record *record);

/* Returns the milliseconds for which the cached answer about `record` (NULL: about an absent name)
 * remains fresh and before its expiry. */
uint64_t listing_time_left(const struct listing *listing, const struct record *record);

/* The answer of the cache for a name: it exists, it does not exist, or unknown. */
enum cache_result { CACHE_HIT, CACHE_NEGATIVE, CACHE_MISS };

/*
 * Answers from the cache. Sets `*record`, to NULL unless it is a hit. A stale answer is given all
 * the same, and refreshed in the background a moment later; not for a change, whose response
 * refreshes the name.
 */
enum cache_result listing_query(struct listing *listing, const char *name,
				const struct record **record);
enum cache_result listing_query_for_change(struct listing *listing, const char *name,
					   const struct record **record);

/* A change of `name` is about to be made: it needs no refresh, nor does its store. */
void listing_expect_change(struct listing *listing, const char *name);

/* Returns the cached record of an existing name, however old and even if it is invalid; NULL: none.
 * Starts no request. */
const struct record *listing_peek_any(const struct listing *listing, const char *name);

/* Starts a refresh in the background if `record`, found by its entry id, is stale. */
void listing_revalidate(struct listing *listing, const struct record *record);

/* True if the last attempt to refresh the listing failed. */
bool listing_last_refresh_failed(const struct listing *listing);

/*
 * Returns the snapshot that a directory shows when it is opened now, referenced for the caller, and
 * starts a walk if one is needed. NULL with `failure` set if nothing is cached and the service
 * cannot be asked.
 */
struct snapshot *listing_open_view(struct listing *listing, struct failure *failure);

/* Returns the last complete snapshot, however old, referenced for the caller; NULL: none. */
struct snapshot *listing_last_complete(struct listing *listing);

/* Merges a local change that the service has accepted. `entry_id` 0: that of the name, or a new
 * one. Returns the record, or NULL when memory ran out. */
const struct record *listing_local_put(struct listing *listing, const struct entry *entry,
				       uint32_t entry_id);

/* Merges a local deletion that the service has accepted. */
void listing_local_delete(struct listing *listing, const char *name);

/* Gives the secret that is cached as `name` this `entry_id`: its file has got the name. */
void listing_assign_id(struct listing *listing, const char *name, uint32_t entry_id);

/* Merges a local rename: `to`, which was put before, takes over `entry_id` from `from`. */
void listing_local_rename(struct listing *listing, const char *from, const char *to,
			  uint32_t entry_id);

/* Makes the next lookup of `name` ask the service. If it turns out to exist and was not cached
 * before, it gets `entry_id` (0: any). */
void listing_invalidate(struct listing *listing, const char *name, uint32_t entry_id);

/* Gives the secret that is cached as `name`, or will be found there, another id than `entry_id`:
 * that file was unlinked, or has another name now. */
void listing_reassign_id(struct listing *listing, const char *name, uint32_t entry_id);

/* True if the service must be asked for `name` before the cache is used. */
bool listing_is_invalid(const struct listing *listing, const char *name);
