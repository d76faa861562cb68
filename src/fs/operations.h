#pragma once

#include "fs_base.h"

/*
 * The requests of the kernel: one function for each operation, as libfuse calls it. Each replies,
 * now or later.
 */

void fs_lookup(fuse_req_t request, fuse_ino_t parent, const char *name);

void fs_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);

void fs_setattr(fuse_req_t request, fuse_ino_t number, struct stat *attributes, int what,
		struct fuse_file_info *info);

void fs_access(fuse_req_t request, fuse_ino_t number, int mask);

void fs_statfs(fuse_req_t request, fuse_ino_t number);

void fs_opendir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);

void fs_readdir(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
		struct fuse_file_info *info);

void fs_readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
		    struct fuse_file_info *info);

void fs_releasedir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);

/* Frees all directories that are open: the kernel will not release them any more. */
void directories_forget(struct fs *fs);

void fs_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode);

void fs_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name);

void fs_unlink(fuse_req_t request, fuse_ino_t parent, const char *name);

void fs_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	       const char *new_name, unsigned flags);

void fs_link(fuse_req_t request, fuse_ino_t number, fuse_ino_t new_parent, const char *new_name);

void fs_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name);

void fs_readlink(fuse_req_t request, fuse_ino_t number);

void fs_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);

void fs_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);

void fs_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *info);

void fs_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
	     struct fuse_file_info *info);

void fs_write(fuse_req_t request, fuse_ino_t number, const char *data, size_t size, off_t offset,
	      struct fuse_file_info *info);

void fs_fallocate(fuse_req_t request, fuse_ino_t number, int mode, off_t offset, off_t length,
		  struct fuse_file_info *info);

void fs_flush(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);

void fs_fsync(fuse_req_t request, fuse_ino_t number, int datasync, struct fuse_file_info *info);

void fs_release(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);

void fs_getxattr(fuse_req_t request, fuse_ino_t number, const char *name, size_t size);

void fs_setxattr(fuse_req_t request, fuse_ino_t number, const char *name, const char *value,
		 size_t size, int flags);

void fs_listxattr(fuse_req_t request, fuse_ino_t number, size_t size);

void fs_removexattr(fuse_req_t request, fuse_ino_t number, const char *name);
