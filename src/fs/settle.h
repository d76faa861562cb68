#pragma once

#include "fs_base.h"
#include "inode.h"

/* A question about an inode, to be answered later. */
struct question {
	void (*answer)(fuse_req_t request, fuse_ino_t number, const struct question *question);
	char attribute[32]; /* GETXATTR */
	size_t size;	    /* GETXATTR, LISTXATTR */
};

/*
 * Asks the service for a secret of which the cache knows only that it was written, and calls
 * `question->answer` then. Returns false, and does nothing, where the question can be answered now.
 */
bool settle(fuse_req_t request, fuse_ino_t number, const struct inode *inode,
	    const struct question *question);
