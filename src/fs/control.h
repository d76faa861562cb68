#pragma once

#include "fs_base.h"

/*
 * The control directory.
 */
#define CONTROL_COUNT 4

extern const struct control {
	const char *name;
	mode_t mode;
	void (*print)(struct fs *fs, struct buffer *text); /* NULL: it is for writing */
} controls[CONTROL_COUNT];

/* Answer the operations on control files. A write to `refresh` calls fs_options.refresh. */
void control_open(struct fs *fs, fuse_req_t request, const struct control *control,
		  struct fuse_file_info *info);

void control_read(fuse_req_t request, size_t size, off_t offset, struct fuse_file_info *info);

void control_write(struct fs *fs, fuse_req_t request, size_t size);

void control_release(fuse_req_t request, struct fuse_file_info *info);

/* Frees the open control files at the end of the mount: not every RELEASE comes. */
void control_forget(struct fs *fs);

/* Appends the text of `status` as JSON, of `metrics` in the text format of Prometheus. */
void status_print(struct fs *fs, struct buffer *text);

void metrics_print(struct fs *fs, struct buffer *text);
