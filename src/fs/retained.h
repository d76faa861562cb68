#pragma once

#include "file.h"
#include "fs_base.h"

/*
 * Retained values: kept for some seconds after they were stored, so that a rename can store them
 * under another name at a service that cannot rename.
 */

struct retained {
	struct fs *fs;
	struct store *store;
	char name[256];
	char digest[DIGEST_TEXT_SIZE]; /* of the stored version: another one is not this value */
	struct value *value;
	size_t length;
	struct pending_attrs pending_attrs;
	uint64_t ends_at;	    /* CLOCK_BOOTTIME, milliseconds */
	TAILQ_ENTRY(retained) link; /* of fs->retained; tqe_prev is NULL while it is taken out */
};

/* Offers the retained values to the pool of locked memory: it may wipe them. */
void retained_init(struct fs *fs);

/* Retains what an upload has stored, where a rename needs it and there is room. Takes over `attrs`,
 * the attributes that were set for it, unless NULL. */
void retained_add(const struct upload *upload, struct pending_attrs *attrs);

/* Wipes the retained value of a name. Returns false if there was none. */
bool retained_forget(struct fs *fs, const struct store *store, const char *name);

/* Takes out the retained value of a name, for retained_return or retained_free. Returns NULL if
 * there is none, or if `record` is another version. */
struct retained *retained_take(struct fs *fs, const struct store *store, const char *name,
			       const struct record *record);

/* Retains it again for the rest of its time, or frees it. */
void retained_return(struct retained *retained);

/* Wipes it; NULL is let through. */
void retained_free(struct retained *retained);

void retained_free_all(struct fs *fs);
