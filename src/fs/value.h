#pragma once

#include "fs_base.h"

/*
 * Values in locked memory.
 */

/* A value as it grows, in locked memory. Shared by a handle and the uploads of it, and by all
 * handles of a staged file; else copied before it is written to while it is shared. */
struct value {
	unsigned references;
	unsigned uploads; /* those that send it: it must not change meanwhile */
	struct locked bytes;
	size_t valid_utf8_bytes; /* where services take text: bytes that are known to be whole
				    characters, and */
	size_t characters;	 /* how many characters there are in all */
};

struct value *value_new(struct locked_pool *pool);

void value_release(struct value *value);
