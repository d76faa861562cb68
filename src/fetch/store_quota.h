#pragma once

#include "sstorefs/quota.h"

/*
 * The quota of a service that tells none, but has a limit for each store: the listings show how
 * much of it is used.
 */

/* Returns a listing of `store` (NULL: of any store) that must be walked before its secrets can be
 * counted; NULL if there is none, or the service cannot be asked now. */
struct listing *store_quota_next_listing(struct catalog *catalog, struct store *store);

/* Counts what is listed of `store`, or of all stores. */
void store_quota_count(struct catalog *catalog, struct store *store, struct quota_figures *figures);

/* True if the store is full, as its listing shows. */
bool store_quota_is_exhausted(const struct store *store);
