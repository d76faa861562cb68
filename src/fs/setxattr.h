#pragma once

#include "precheck.h"

/*
 * Extended attributes that can be set: their texts, and what is done with them.
 */

/* Parse the text of one attribute into zeroed `attrs`, which pending_attrs_free frees. Return why
 * it cannot be set. */
enum refusal parse_scopes(const struct fs *fs, const char *value, size_t size,
			  struct pending_attrs *attrs);

enum refusal parse_comment(const struct fs *fs, const char *value, size_t size,
			   struct pending_attrs *attrs);

enum refusal parse_visibility(const struct fs *fs, const char *value, size_t size,
			      struct pending_attrs *attrs);

enum refusal parse_repositories(const struct fs *fs, const char *value, size_t size,
				struct pending_attrs *attrs);

enum refusal parse_expires_at(const struct fs *fs, const char *value, size_t size,
			      struct pending_attrs *attrs);

/* Answers a GETXATTR of the repositories that may use the secret `inode`, by one or more calls
 * (repositories.c). */
void repositories_reply(fuse_req_t request, const struct inode *inode, size_t size);

/*
 * Applies `attrs` now (to a stored secret) or with the next upload (of a dirty handle), then
 * replies to `request`. Takes ownership of the strings it uses and clears them in `attrs`.
 */
void setxattr_apply(struct fs *fs, fuse_req_t request, const struct inode *inode,
		    struct pending_attrs *attrs);
