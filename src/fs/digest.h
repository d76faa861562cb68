#pragma once

#include "fs_base.h"

/*
 * The digest that is shown of a secret.
 */

/* Returns the digest; it lies in the entry, or in `text`. */
const char *entry_digest(const struct entry *entry, struct entry_text *text);

/* Returns the digest of a record; NULL for NULL. */
const char *record_digest(const struct record *record, struct entry_text *text);
