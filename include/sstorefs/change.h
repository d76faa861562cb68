#pragma once

#include "sstorefs/delete.h"
#include "sstorefs/put.h"
#include "sstorefs/rename.h"
#include "sstorefs/store_ops.h"
#include "sstorefs/update.h"

/*
 * Changes at the service. Each is a struct that its owner embeds, zeroes, fills in and starts;
 * `done` is called once, from the loop or from within the start, and `change.failure.errnum` is 0
 * or says why it failed. Changes to one name are made one after the other, in the order in which
 * they were started. Strings and stores are borrowed until the end.
 */

/* Fetches a client key ahead of need: called when a file is opened for writing. */
void catalog_prepare_write(struct catalog *catalog);

/* Returns why no value can be sealed for now: the last client key was rejected, and it is too early
 * to fetch another. NULL if values can be sealed as far as is known. */
const struct failure *catalog_key_failure(const struct catalog *catalog);

/* Returns when the present client key expires (CLOCK_BOOTTIME, milliseconds); 0 without a key. */
uint64_t catalog_key_expires_at(const struct catalog *catalog);
