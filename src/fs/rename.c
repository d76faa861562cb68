/*
 * RENAME and LINK: names given to secrets that have one.
 */
#include <errno.h>

#include "fs.h"

void fs_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
	       unsigned flags)
{
	struct fs *fs = fuse_req_userdata(request);
	int error = refusal_of_change(fs);

	(void)parent;
	(void)name;
	(void)new_parent;
	(void)new_name;
	(void)flags;
	fuse_reply_err(request, error ? error : fs->config->nocreate ? EPERM : EOPNOTSUPP);
}

void fs_link(fuse_req_t request, fuse_ino_t number, fuse_ino_t new_parent, const char *new_name)
{
	(void)number;
	(void)new_parent;
	(void)new_name;
	fuse_reply_err(request, EOPNOTSUPP);
}

void fs_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	fuse_reply_err(request, EPERM);
}

void fs_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)device;
	fuse_reply_err(request, EPERM);
}
