/*
 * chmod(2) and chown(2): permissions and owner are the mount's options, so nothing is changed; but
 * who could change them elsewhere is told that it is done.
 */
#include <stdlib.h>

#include "fs_internal.h"
#include "inode.h"
#include "precheck.h"

/* Whether the caller is in the group, as far as can be told: where it can't, what changes nothing
 * is granted. */
static bool is_in_group(fuse_req_t request, gid_t group)
{
	int count, found = 0;
	bool is_in = fuse_req_ctx(request)->gid == group;
	gid_t *groups;

	count = is_in ? 0 : fuse_req_getgroups(request, 0, NULL);
	groups = count > 0 ? calloc((size_t)count, sizeof *groups) : NULL;
	if (groups)
		found = fuse_req_getgroups(request, count, groups);
	for (int i = 0; i < found && i < count; i++)
		is_in |= groups[i] == group;
	is_in |= count < 0 || found < 0 || (count > 0 && !groups);
	free(groups);
	return is_in;
}

/* chmod and chown change nothing; who could do it on an ordinary file that looks like this one may
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

/* Why attributes can't be what is wanted. Of the control directory nothing is the service's: a
 * mount with `ro` lets it be used. */
enum refusal precheck_setattr(fuse_req_t request, const struct inode *inode,
			      const struct stat *wanted, int what)
{
	struct fs *fs = fuse_req_userdata(request);
	struct stat present;

	if (fs->config->read_only && inode->kind != INODE_CONTROL_FILE &&
	    inode->kind != INODE_CONTROL_DIRECTORY)
		return REFUSAL_READ_ONLY;
	/* With default_permissions the kernel has asked that already, and knows more of the caller.
	 */
	if (fs->config->default_permissions ||
	    !(what & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)))
		return REFUSAL_NONE;
	inode_attributes(fs, inode, &present);
	return may_change_owner(request, &present, wanted, what) ? REFUSAL_NONE
								 : REFUSAL_OTHER_OWNER;
}
