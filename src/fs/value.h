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

/* Returns an empty value with one reference; NULL when memory ran out. */
struct value *value_new(struct locked_pool *pool);

/* Adds a reference. Returns `value`. */
struct value *value_reference(struct value *value);

/* Drops a reference; NULL is let through. Wipes the value with the last one. */
void value_release(struct value *value);
