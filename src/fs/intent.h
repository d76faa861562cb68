#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "sstorefs/store.h"

struct fs;

/*
 * True if the LOOKUP of `name` in `store` by the thread `thread` needs no call, because the
 * publication that follows decides: the thread is in an open(2) that creates the file or replaces
 * its value, and nothing is known of the store yet.
 */
bool intent_is_to_put(struct fs *fs, struct store *store, const char *name, pid_t thread);
