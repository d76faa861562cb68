/*
 * What is mounted at a place, and mounting and unmounting there: never by a path that could lead
 * elsewhere by now.
 */
#include "sstorefs/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TYPE "fuse.sstorefs"

/* How mount(2) and umount2(2), which take paths, are given a descriptor. */
struct way {
	char path[32];
};

static struct way way_to(int directory)
{
	struct way way;

	snprintf(way.path, sizeof way.path, "/proc/self/fd/%d", directory);
	return way;
}

/* The number that /proc/self/mountinfo has of the mount which `directory` lies in; -1 if there is
 * no telling. */
static long mount_of(int directory)
{
	char path[64], line[256];
	long number = -1;
	FILE *info;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", directory);
	info = fopen(path, "re");
	while (info && number < 0 && fgets(line, sizeof line, info))
		sscanf(line, "mnt_id: %ld", &number);
	if (info)
		fclose(info);
	return number;
}

/* Its type is behind the ` - ` that ends the optional fields. */
static bool is_of_our_type(long number)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	bool ours = false;

	while (mounts && getline(&line, &size, mounts) >= 0) {
		const char *type = strstr(line, " - ");

		if (type && strtol(line, NULL, 10) == number)
			ours = strncmp(type + 3, TYPE " ", sizeof TYPE) == 0;
	}
	free(line);
	if (mounts)
		fclose(mounts);
	return ours;
}

bool place_is_ours(const struct mount_place *place)
{
	struct statx status;
	bool is_root =
		statx(place->directory, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0,
		      &status) == 0 &&
		status.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	long number = is_root ? mount_of(place->directory) : -1;

	return number >= 0 && is_of_our_type(number);
}

int place_check(const struct mount_place *place)
{
	struct statx status;

	/* Of a mount whose daemon was killed a moment ago the kernel still knows what it would
	 * answer: it has to be asked again. */
	return statx(place->directory, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC | AT_NO_AUTOMOUNT,
		     STATX_TYPE, &status)
		       ? -errno
		       : 0;
}

int place_look_again(struct mount_place *place)
{
	struct stat status;
	int found;

	if (place->parent < 0)
		return -EBUSY; /* it was entered, and its name is not known */
	found = openat(place->parent, place->name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (found < 0)
		return -errno;
	close(place->directory);
	place->directory = found;
	return fstat(found, &status) == 0 && !S_ISDIR(status.st_mode) ? -ENOTDIR : 0;
}

int place_unmount(const struct mount_place *place)
{
	struct way way = way_to(place->directory);

	return umount2(way.path, MNT_DETACH) ? -errno : 0;
}

bool place_is_empty(const struct mount_place *place)
{
	int fd = openat(place->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	unsigned entries = 0;

	while (directory && entries < 3 && readdir(directory))
		entries++;
	if (directory)
		closedir(directory);
	else if (fd >= 0)
		close(fd);
	return directory && entries < 3; /* `.` and `..` */
}

bool place_is_open_to_root(const struct mount_place *place)
{
	struct statfs system;
	struct statx status;

	if (fstatfs(place->directory, &system) ||
	    statx(place->directory, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0,
		  &status))
		return false;
	if (system.f_flags & ST_RDONLY || system.f_type == AUTOFS_SUPER_MAGIC)
		return false;
	return !(status.stx_attributes & STATX_ATTR_IMMUTABLE) || !place_is_empty(place);
}

void place_explain_open(struct buffer *line, const char *path)
{
	buffer_printf(line,
		      "root can write into %s while nothing is mounted there, and values would lie "
		      "on the disk in clear text: unmount it, empty it, and run "
		      "sstorefs-mount-proxy --prepare %s",
		      path, path);
}

int place_mount(const struct mount_place *place, const struct place_mount *mounted,
		const char **failed)
{
	unsigned long flags =
		MS_NOSUID | MS_NODEV | MS_NOEXEC | (mounted->read_only ? MS_RDONLY : 0);
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), error;
	struct way way = way_to(place->directory);
	char options[256];

	*failed =
		"/dev/fuse can't be opened: load its module (modprobe fuse), or give the device to this container";
	if (fd < 0)
		return -errno;
	*failed = "mount failed";
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u%s%s", fd,
		 mounted->uid, mounted->gid,
		 mounted->default_permissions ? ",default_permissions" : "",
		 mounted->allow_other ? ",allow_other" : "");
	if (mount(mounted->source, way.path, TYPE, flags, options) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}
