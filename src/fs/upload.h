#ifndef SSTOREFS_FS_UPLOAD_H
#define SSTOREFS_FS_UPLOAD_H

#include "audit.h"
#include "fs_base.h"

/*
 * Uploads: values on their way to the service.
 */

struct file;
struct handle;
struct value;

/* A value on its way, and who waits for it. */
struct upload {
	struct fs *fs;
	struct actor actor;
	struct put_op put;
	struct file *file;
	unsigned number; /* among the file's publications */
	struct value *value;
	char name[256];
	struct wait_list waits; /* woken at the end; `publication.failure` tells how it went */
	bool done;
	bool renews;	/* the name was new a few seconds ago, and its value is retained no more */
	bool is_staged; /* it publishes a staged file under its real name */
	unsigned references;
	struct upload *next, **link;
};

/* Publishes what a handle holds; it is not due any more. `failure` is set and NULL returned if it
 * can't even be tried. One reference for the caller. */
struct upload *upload_start(struct handle *handle, struct failure *failure);

/* The same for a staged file under its real name `name`; `request` is the rename. */
struct upload *upload_staged(struct file *file, const char *name, bool only_free,
			     fuse_req_t request, struct failure *failure);

void upload_release(struct upload *upload);

/* Gives up: the value is not published if that can still be helped. */
void upload_cancel(struct upload *upload);

/* A file is losing its name: what still waits for its turn to be published under it is not
 * published at all, which is no failure. */
void uploads_cancel_queued(struct file *file);

/* It is getting another name: what waits for its turn is published under that. */
void uploads_rename(struct file *file, const char *name);

#endif
