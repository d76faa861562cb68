#ifndef SSTOREFS_CHANGE_H
#define SSTOREFS_CHANGE_H

#include "sstorefs/api_call.h"
#include "sstorefs/catalog.h"
#include "sstorefs/delete.h"
#include "sstorefs/put.h"
#include "sstorefs/rename.h"
#include "sstorefs/store_ops.h"
#include "sstorefs/update.h"

/*
 * Changes: what is done at the service. Each is a struct that its owner embeds, zeroes, fills in
 * and starts; `done` is called once, from the loop or from within the start, and `failure.error` is
 * 0 or says why not. Changes to one name happen one after the other, in the order in which they
 * were started. Strings and stores are borrowed until the end.
 */

/* Sees to it that a client key is at hand when a value will need one: called when a file is opened
 * for writing. */
void catalog_prepare_write(struct catalog *catalog);

/* Why no value can be sealed for now: the service's last client key was not to be trusted, and it
 * is too early to ask for another. NULL: nothing is in the way. */
const struct failure *catalog_key_failure(const struct catalog *catalog);

/* When the client key that is held expires (CLOCK_BOOTTIME, milliseconds); 0: none is held or none
 * is needed. */
uint64_t catalog_key_expires_at(const struct catalog *catalog);

#endif
