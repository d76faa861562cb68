#pragma once

#include "fs_base.h"

/*
 * The digest that is shown of a secret.
 */

/* The digest that is shown of a secret; it lies in the entry, or in the room of `text`. */
const char *entry_digest(const struct entry *entry, struct entry_text *text);
