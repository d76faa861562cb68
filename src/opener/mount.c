/*
 * The mount itself, by mount(2). Who gets its descriptor is pass.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "opener.h"

#define TYPE "fuse.sstorefs"

/* Whether the topmost mount at `path` is one of ours. Never looks at the mount itself, whose daemon may hang. */
static bool is_ours(const char *path)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent entry;
	char line[8192];
	bool ours = false;

	if (!mounts)
		return false;
	while (getmntent_r(mounts, &entry, line, sizeof line))
		if (strcmp(entry.mnt_dir, path) == 0)
			ours = strcmp(entry.mnt_type, TYPE) == 0;
	endmntent(mounts);
	return ours;
}

int opening_unmount(const char *mountpoint)
{
	while (is_ours(mountpoint))
		if (umount2(mountpoint, MNT_DETACH))
			return complain(errno, "%s can't be unmounted", mountpoint);
	return 0;
}

int opening_mount(const struct opening *opening)
{
	unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | (opening->read_only ? MS_RDONLY : 0);
	char options[256];
	int fd = -1, failed = opening_unmount(opening->mountpoint);

	if (failed)
		return failed;
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return complain(
			errno,
			"/dev/fuse can't be opened: load the module 'fuse', or give the device to this container");
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u,default_permissions%s",
		 fd, opening->uid, opening->gid, opening->allow_other ? ",allow_other" : "");
	if (mount(opening->source, opening->mountpoint, TYPE, flags, options)) {
		failed = complain(errno, "%s can't be mounted on %s", opening->source, opening->mountpoint);
		close(fd);
		return failed;
	}
	return fd;
}
