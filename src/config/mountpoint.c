/* Checks what is at the mountpoint before anything is mounted there. */
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "options.h"

bool mountpoint_has_submounts(const struct config *config)
{
	FILE *mounts = config->mount_fd < 0 ? setmntent("/proc/self/mounts", "re") : NULL;
	size_t length = strlen(config->mountpoint);
	struct mntent entry;
	char line[4 * PATH_MAX];
	bool below = !mounts;

	if (length == 1)
		length = 0; /* the root */
	while (!below && getmntent_r(mounts, &entry, line, sizeof(line)))
		below = strncmp(entry.mnt_dir, config->mountpoint, length) == 0 &&
			entry.mnt_dir[length] == '/' && entry.mnt_dir[length + 1];
	if (mounts)
		endmntent(mounts);
	return below;
}

static int mount_error(const struct config *config, int error, const char *remedy)
{
	usage_error("can't mount on %s: %s: %s", config->mountpoint, strerror(error), remedy);
	return -error;
}

/* Major and minor number of /dev/fuse. */
#define FUSE_DEVICE makedev(10, 229)

/* Checks that the descriptor is a mounted one of FUSE, without looking at the mount. */
static int check_descriptor(const struct config *config)
{
	static const char remedy[] =
		"give one of /dev/fuse that is mounted, as mount.fuse3 -o drop_privileges does";
	struct pollfd poll_for = {.fd = config->mount_fd, .events = POLLIN};
	struct stat status;

	if (fstat(config->mount_fd, &status))
		return mount_error(config, errno, remedy);
	if (!S_ISCHR(status.st_mode) || status.st_rdev != FUSE_DEVICE)
		return mount_error(config, ENODEV, remedy);
	return poll(&poll_for, 1, 0) > 0 && poll_for.revents & POLLERR
		       ? mount_error(config, ENOTCONN, remedy)
		       : 0;
}

static const struct {
	int error;
	const char *remedy;
} remedies[] = {
	{ENOENT, "make it with mkdir, or correct the path"},
	{ENOTDIR, "give a directory"},
	{EBUSY, "sstorefs is mounted there already: umount it first, or give another directory"},
	{ENOTCONN, "a file system there has died: umount it first"},
};

static int refuse_place(const struct config *config, int error, const struct buffer *why)
{
	if (error == ENOENT && config->mountpoint[0] == '~')
		return mount_error(config, error, "no shell has replaced the '~': write $HOME");
	for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
		if (remedies[i].error == error)
			return mount_error(config, error, remedies[i].remedy);
	return mount_error(config, error,
			   why->length ? buffer_cstr(why) : "see that its path can be followed");
}

int config_check_mountpoint(struct config *config)
{
	struct mount_place *place = &config->place;
	struct buffer why = {0};
	int failed;

	if (config->mount_fd >= 0)
		return check_descriptor(config);
	place_close(place);
	failed = place_open(place, config->mountpoint, &why);
	if (!failed)
		failed = place_check(place);
	if (failed != -ENOTCONN && place->path && place_is_ours(place))
		failed = -EBUSY;
	if (!failed && strcmp(place->path, "/") == 0) {
		buffer_puts(&why, "nothing of this system could be seen below it: give a directory "
				  "of its own");
		failed = -EINVAL;
	}
	config->dead_mount = failed == -ENOTCONN && place->path && place_is_ours(place);
	if (config->dead_mount)
		failed = 0;
	if (failed) {
		failed = refuse_place(config, -failed, &why);
	} else {
		free(config->mountpoint);
		config->mountpoint = place->path;
		place->path = NULL;
	}
	buffer_finish(&why);
	return failed;
}
