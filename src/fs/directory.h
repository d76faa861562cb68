#pragma once

#include "fs_base.h"

/*
 * Open directories and their views: the snapshots that READDIR reads.
 */

/*
 * Offsets: 0 is the beginning, 1 behind ".", 2 behind "..", then the snapshot's positions (in units
 * of 4, behind FIRST_POSITION), then, from FILES_OFFSET on, entry ids of files that are open and
 * not stored yet. The bits from VIEW_OFFSET on have the view's number: rewinding takes a new view,
 * and offsets of the one before it stay valid.
 */
#define POSITION_UNIT  4
#define FIRST_POSITION 2
#define FILES_OFFSET   (INT64_C(1) << 48)
#define VIEW_OFFSET    (INT64_C(1) << 49)
#define VIEWS_MAX      (1u << 13) /* their numbers wrap around */

struct directory {
	struct fs *fs;
	fuse_ino_t number;
	struct store
		*store;	  /* referenced; NULL: the root of all stores, or the control directory */
	bool has_listing; /* it is the root or a store */
	uint32_t staged;  /* entry id of a staged directory; 0: it is none */
	struct snapshot *views[2]; /* the present one, and the one before */
	unsigned view;		   /* number of the present one */
	bool has_shown;	    /* entries of the present view were read: it must not be exchanged */
	bool awaiting_view; /* the view is stale: a new one is taken once it stops growing */
	off_t next;	    /* the offset behind the last reply, which needs no alignment */
	char *data;	    /* the last reply */
	size_t size;
	LIST_ENTRY(directory) link; /* of fs->directories */
};

static inline struct directory *directory_of(const struct fuse_file_info *info)
{
	return (struct directory *)(uintptr_t)info->fh;
}

/* Returns the listing of a directory that has one. */
struct listing *directory_listing(const struct directory *directory);

/* Takes the last complete view, because the service does not answer. Returns false if there is
 * none, or if entries of another view were read already. */
bool directory_open_last_view(struct directory *directory);

/* Returns the view that an offset is in; NULL for one that is not kept any more. */
struct snapshot *directory_view(const struct directory *directory, off_t offset);

/* Returns true if the present view can be read; false if its next page must be awaited. */
bool directory_is_ready(struct directory *directory);

/* Takes a view of the listing as it is now. Returns the offset of its beginning. */
off_t directory_rewind(struct directory *directory);
