#pragma once

#include "fs_base.h"

/*
 * Values in locked memory.
 */

/* A value as it grows. A handle shares it with its uploads, and all handles of a staged file share
 * one. Otherwise a shared value is copied before it is written to. */
struct value {
	unsigned references;
	unsigned uploads; /* that send it: it must not change meanwhile */
	struct locked bytes;
	/* Where the service takes only text: */
	size_t valid_utf8_bytes; /* that are known to be whole characters */
	size_t characters;	 /* in all of the value */
};

/* Returns an empty value with one reference; NULL when memory ran out. */
struct value *value_new(struct locked_pool *pool);

/* Adds a reference. Returns `value`. */
struct value *value_reference(struct value *value);

/* Drops a reference; NULL is let through. Wipes the value with the last one. */
void value_release(struct value *value);
