#pragma once

#include "audit.h"
#include "fs_base.h"

/*
 * Uploads: values on their way to the service.
 */

/* An upload in flight, and the requests that wait for it. */
struct upload {
	struct fs *fs;
	struct log_actor actor;
	struct put_op put;
	struct file *file;
	unsigned number; /* among the uploads of the file, from 1 */
	struct value *value;
	char name[256];
	struct wait_list waits; /* woken at the end; `put.change.failure` is the outcome */
	uint64_t started_at;	/* CLOCK_BOOTTIME, milliseconds */
	bool done;
	bool renews;	/* it replaces a value that was retained: the name is a few seconds old */
	bool is_staged; /* it uploads a staged file under its real name */
	unsigned references;
	LIST_ENTRY(upload) link; /* of fs->upload_list */
};

/*
 * Starts the upload of a handle's value; the handle is not dirty any more. Returns NULL with
 * `failure` set if the value fails a check, or with errnum 0 if it is empty. The caller gets one
 * reference.
 */
struct upload *upload_start(struct handle *handle, struct failure *failure);

/* Returns the last upload of the handle's value that has not ended, with a reference for the
 * caller; NULL: there is none. */
struct upload *upload_in_flight(const struct handle *handle);

/* Starts the upload of a handle's value without waiting: the outcome is kept in the file. */
void handle_publish(struct handle *handle);

/* Does the same as upload_start for a staged file under its real name `name`. `request` is the
 * rename; with `only_free` nothing is replaced. */
struct upload *upload_staged(struct file *file, const char *name, bool only_free,
			     fuse_req_t request, struct failure *failure);

/* Frees the upload with its last reference; NULL is let through. */
void upload_release(struct upload *upload);

/* A request that waited for the upload was interrupted. Cancels the upload if `cancel`, unless
 * another close or a `sync` waits for it. Otherwise it goes on, as it does at the end of the mount:
 * shells do not look at what close returns, and would lose the value in silence. */
void upload_interrupted(struct upload *upload, bool cancel);

/* Cancels the upload: the value is not stored if it was not sent yet. */
void upload_cancel(struct upload *upload);

/* Drops the uploads of `file` that are still queued, which succeed: the file is losing its name. */
void uploads_cancel_queued(struct file *file);

/* Queues the uploads of `file` that have not begun under `name`, which it is about to get. */
void uploads_rename(struct file *file, const char *name);

/* Ends the wait for the last upload at the end of the mount, if none is left. */
void fs_check_drained(struct fs *fs);
