/* Closes a mountpoint to root for the time that nothing is mounted on it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount_proxy.h"
#include "sstorefs/place.h"

/* Makes an empty directory immutable, as chattr +i does: files in it could be written all the same.
 * Returns 0 or -errno. */
static int make_immutable(const struct mount_place *place)
{
	int fd, flags = 0, failed = 0;

	if (!place_is_empty(place))
		return -ENOTEMPTY;
	fd = openat(place->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		failed = -errno;
	flags |= FS_IMMUTABLE_FL;
	if (!failed && ioctl(fd, FS_IOC_SETFLAGS, &flags))
		failed = -errno;
	close(fd);
	/* A file may have been written between the two checks. */
	return failed || place_is_empty(place) ? failed : -ENOTEMPTY;
}

/* Mounts an empty, read-only tmpfs at `place`, and opens it there. Returns 0 or -errno. */
static int cover(struct mount_place *place)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/self/fd/%d", place->directory);
	if (mount("sstorefs-mount-proxy", path, "tmpfs",
		  MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,nr_inodes=1,mode=0555"))
		return -errno;
	return place_look_again(place);
}

int prepare_mountpoint(const char *mountpoint, bool may_cover, struct mount_place *covered)
{
	struct mount_place place = PLACE_NONE;
	struct buffer why = {0};
	int failed = make_mountpoint(mountpoint);

	*covered = PLACE_NONE;
	if (failed)
		return failed;
	failed = place_open(&place, mountpoint, &why);
	if (failed)
		usage_error(-failed, "%s can't be opened%s%s", mountpoint, why.length ? ": " : "",
			    buffer_cstr(&why));
	/* Nothing below a mount of sstorefs can be seen; it was checked when that was made. */
	if (!failed && !place_is_ours(&place) && place_is_open_to_root(&place)) {
		failed = make_immutable(&place);
		if (failed && may_cover) {
			failed = cover(&place);
			if (!failed) {
				*covered = place;
				place = PLACE_NONE;
			}
		}
		if (failed) {
			place_explain_open(&why, mountpoint);
			usage_error(-failed, "%s", buffer_cstr(&why));
		}
	}
	place_close(&place);
	buffer_finish(&why);
	return failed;
}
