/*
 * The control directory: a table of files. What `status` and `metrics` say is in files of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs_internal.h"

static void print_errors(struct fs *fs, struct buffer *text)
{
	journal_print(fs->options.journal, text);
}

static const struct control {
	const char *name;
	mode_t mode;
	void (*print)(struct fs *fs, struct buffer *text); /* NULL: it can't be read */
} controls[] = {
	{"status", 0400, status_print},
	{"errors", 0400, print_errors},
	{"metrics", 0440, metrics_print},
	{"refresh", 0200, NULL},
};

unsigned control_count(void)
{
	return sizeof controls / sizeof *controls;
}

const char *control_name(unsigned control)
{
	return controls[control].name;
}

mode_t control_mode(unsigned control)
{
	return controls[control].mode;
}

int control_find(const char *name)
{
	for (unsigned i = 0; i < control_count(); i++)
		if (!strcmp(controls[i].name, name))
			return (int)i;
	return -1;
}

/* What is read is what was so when the file was opened. */
struct control_reading {
	struct buffer text;
	struct control_reading *following, **link; /* the fs's list */
};

static struct control_reading *reading_new(struct fs *fs)
{
	struct control_reading *reading = calloc(1, sizeof *reading);

	if (!reading)
		return NULL;
	reading->following = fs->first_control_reading;
	reading->link = &fs->first_control_reading;
	if (reading->following)
		reading->following->link = &reading->following;
	fs->first_control_reading = reading;
	return reading;
}

static void reading_free(struct control_reading *reading)
{
	*reading->link = reading->following;
	if (reading->following)
		reading->following->link = reading->link;
	buffer_finish(&reading->text);
	free(reading);
}

void control_forget(struct fs *fs)
{
	while (fs->first_control_reading)
		reading_free(fs->first_control_reading);
}

void control_open(struct fs *fs, fuse_req_t request, unsigned control, struct fuse_file_info *info)
{
	bool reads = (info->flags & O_ACCMODE) != O_WRONLY, writes = (info->flags & O_ACCMODE) != O_RDONLY;
	struct control_reading *reading;

	if ((reads && !controls[control].print) || (writes && controls[control].print)) {
		fuse_reply_err(request, EACCES);
		return;
	}
	reading = reading_new(fs);
	if (!reading) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	if (reads)
		controls[control].print(fs, &reading->text);
	info->fh = (uint64_t)(uintptr_t)reading;
	info->direct_io = 1;
	/* An interrupted open: there will be no RELEASE. */
	if (fuse_reply_open(request, info) == -ENOENT)
		reading_free(reading);
}

void control_read(fuse_req_t request, size_t size, off_t offset, struct fuse_file_info *info)
{
	const struct buffer *text = &((const struct control_reading *)(uintptr_t)info->fh)->text;
	size_t left;

	if (buffer_result(text)) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	left = (uint64_t)offset < text->length ? text->length - (size_t)offset : 0;
	fuse_reply_buf(request, buffer_text(text) + (left ? offset : 0), left < size ? left : size);
}

void control_write(struct fs *fs, fuse_req_t request, size_t size)
{
	fs->options.refresh(fs->options.context);
	fuse_reply_write(request, size);
}

void control_release(fuse_req_t request, struct fuse_file_info *info)
{
	reading_free((struct control_reading *)(uintptr_t)info->fh);
	fuse_reply_err(request, 0);
}
