#ifndef SSTOREFS_FS_RETAINED_H
#define SSTOREFS_FS_RETAINED_H

#include "file.h"
#include "fs_base.h"

/*
 * Values that are kept for a moment, for a rename.
 */

struct upload;
struct value;

/* What was stored under a new name a few seconds ago, for a rename at a service that has none. */
struct retained {
	struct fs *fs;
	struct store *store;
	char name[256];
	char digest[DIGEST_TEXT_SIZE]; /* of what the service has since: another means that somebody
					  has replaced it */
	struct value *value;
	size_t length;
	struct pending_attrs pending_attrs;
	uint64_t ends_at;	       /* CLOCK_BOOTTIME, milliseconds */
	struct retained *next, **link; /* `link` is NULL while it is taken out */
};

void retained_init(struct fs *fs);

/* Retains what an upload has stored, where that can be of use and there is room. `wishes`, unless
 * NULL, were asked for it explicitly, and are taken over. */
void retained_add(const struct upload *upload, struct pending_attrs *attrs);

/* Wipes what is retained of a name; whether there was something. */
bool retained_forget(struct fs *fs, const struct store *store, const char *name);

/* Takes out what is retained of a name, if it is what `record` tells that the service has; NULL
 * otherwise. */
struct retained *retained_take(struct fs *fs, const struct store *store, const char *name,
			       const struct record *record);

/* Puts it back, for what is left of its time. */
void retained_return(struct retained *retained);

void retained_free(struct retained *retained);

void retained_free_all(struct fs *fs);

#endif
