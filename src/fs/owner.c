/*
 * Checks chmod(2) and chown(2). Permissions and owner are the mount's options, so neither changes
 * anything; but both succeed for callers that could change an ordinary file.
 */
#include <limits.h>

#include "fs_internal.h"

/* True if the caller is in the group. Also where that is not known: the change that it allows has
 * no effect. */
static bool is_in_group(fuse_req_t request, gid_t group)
{
	static gid_t groups[NGROUPS_MAX]; /* takes memory only as far as it is filled */
	int count = fuse_req_getgroups(request, NGROUPS_MAX, groups);
	bool is_in = count < 0 || fuse_req_ctx(request)->gid == group;

	for (int i = 0; i < count && i < NGROUPS_MAX; i++)
		is_in |= groups[i] == group;
	return is_in;
}

/* True if the caller could make the change on an ordinary file with the attributes `present`
 * (chmod(2), chown(2)). */
static bool may_change_owner(fuse_req_t request, const struct stat *present,
			     const struct stat *wanted, int what)
{
	uid_t caller = fuse_req_ctx(request)->uid;

	if (caller == 0)
		return true;
	if (caller != present->st_uid)
		return false;
	if (what & FUSE_SET_ATTR_UID && wanted->st_uid != present->st_uid)
		return false;
	return !(what & FUSE_SET_ATTR_GID) || wanted->st_gid == present->st_gid ||
	       is_in_group(request, wanted->st_gid);
}

/* A mount with `ro` refuses no change in the control directory: nothing there is the service's. */
enum refusal precheck_setattr(fuse_req_t request, const struct inode *inode,
			      const struct stat *wanted, int what)
{
	struct fs *fs = fuse_req_userdata(request);
	struct stat present;

	if (fs->config->read_only && inode->kind != INODE_CONTROL_FILE &&
	    inode->kind != INODE_CONTROL_DIRECTORY)
		return REFUSAL_READ_ONLY;
	/* With default_permissions the kernel has checked that, and knows more of the caller. */
	if (fs->config->default_permissions ||
	    !(what & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)))
		return REFUSAL_NONE;
	inode_attributes(fs, inode, &present);
	return may_change_owner(request, &present, wanted, what) ? REFUSAL_NONE
								 : REFUSAL_OTHER_OWNER;
}
