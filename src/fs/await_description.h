#pragma once

#include "fs_base.h"
#include "inode.h"

/* A request for metadata of an inode, to be answered later. */
struct metadata_query {
	void (*answer)(fuse_req_t request, fuse_ino_t number, const struct metadata_query *query);
	char attribute[32]; /* GETXATTR */
	size_t size;	    /* GETXATTR, LISTXATTR */
};

/*
 * Looks the secret `inode` up at the service if the cache knows only that it was written, and calls
 * `query->answer` then. Returns false, and does nothing, where the query can be answered now.
 */
bool await_description(fuse_req_t request, fuse_ino_t number, const struct inode *inode,
		       const struct metadata_query *query);
