#ifndef SSTOREFS_STORE_H
#define SSTOREFS_STORE_H

#include "sstorefs/listing.h"

/*
 * Stores that were looked at, each with the listing of its secrets.
 */

struct store *store_reference(struct store *store);

void store_release(struct store *store);

const char *store_name(const struct store *store);

const char *store_id(const struct store *store);

struct listing *store_secrets(struct store *store);

#endif
