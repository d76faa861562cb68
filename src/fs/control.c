/* The control directory: a table of files, and the operations on them. */
#include <fcntl.h>

#include "control.h"
#include "fs_internal.h"

static void print_errors(struct fs *fs, struct buffer *text)
{
	error_log_print(fs->options.error_log, text);
}

const struct control controls[CONTROL_COUNT] = {
	{"status", 0400, status_print},
	{"errors", 0400, print_errors},
	{"metrics", 0440, metrics_print},
	{"refresh", 0200, NULL},
};

/* An open control file: its text is as it was when the file was opened. */
struct control_file {
	struct buffer text;
	LIST_ENTRY(control_file) link; /* of fs->control_files */
};

static void control_file_free(struct control_file *file)
{
	LIST_REMOVE(file, link);
	buffer_finish(&file->text);
	free(file);
}

void control_forget(struct fs *fs)
{
	while (!LIST_EMPTY(&fs->control_files))
		control_file_free(LIST_FIRST(&fs->control_files));
}

void control_open(struct fs *fs, fuse_req_t request, const struct control *control,
		  struct fuse_file_info *info)
{
	bool reads = (info->flags & O_ACCMODE) != O_WRONLY,
	     writes = (info->flags & O_ACCMODE) != O_RDONLY;
	struct control_file *file;

	if ((reads && !control->print) || (writes && control->print)) {
		fuse_reply_err(request, EACCES);
		return;
	}
	file = calloc(1, sizeof *file);
	if (!file) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	LIST_INSERT_HEAD(&fs->control_files, file, link);
	if (reads)
		control->print(fs, &file->text);
	info->fh = (uint64_t)(uintptr_t)file;
	info->direct_io = 1;
	/* The open was interrupted: no RELEASE will come. */
	if (fuse_reply_open(request, info) == -ENOENT)
		control_file_free(file);
}

void control_read(fuse_req_t request, size_t size, off_t offset, struct fuse_file_info *info)
{
	const struct buffer *text = &((const struct control_file *)(uintptr_t)info->fh)->text;
	size_t left;

	if (buffer_error(text)) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	left = (uint64_t)offset < text->length ? text->length - (size_t)offset : 0;
	fuse_reply_buf(request, buffer_cstr(text) + (left ? offset : 0), left < size ? left : size);
}

void control_write(struct fs *fs, fuse_req_t request, size_t size)
{
	fs->options.refresh(fs->options.context);
	fuse_reply_write(request, size);
}

void control_release(fuse_req_t request, struct fuse_file_info *info)
{
	control_file_free((struct control_file *)(uintptr_t)info->fh);
	fuse_reply_err(request, 0);
}
