#pragma once

#include "sstorefs/listing.h"

/*
 * A store that was opened, with the listing of its secrets. A pointer that is kept over an
 * iteration of the loop needs a reference.
 */
struct store;

/* Adds a reference. Returns `store`. */
struct store *store_reference(struct store *store);

/* Drops a reference; NULL: nothing. */
void store_release(struct store *store);

/* Returns the displayed name. */
const char *store_name(const struct store *store);

/* Returns the service's id of the store. */
const char *store_id(const struct store *store);

/* Returns the listing of its secrets, which lives as long as the store. */
struct listing *store_secrets(struct store *store);
