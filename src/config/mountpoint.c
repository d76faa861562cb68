/* What lies at the mountpoint before anything is mounted there. Mounting itself is fs's. */
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "parts.h"

/* Whether the topmost mount at `path` is one of ours. */
static bool is_our_mount(const char *path)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent entry;
	char line[4 * PATH_MAX];
	bool ours = false;

	if (!mounts)
		return false;
	while (getmntent_r(mounts, &entry, line, sizeof(line))) {
		if (strcmp(entry.mnt_dir, path) == 0)
			ours = strcmp(entry.mnt_type, "fuse.sstorefs") == 0;
	}
	endmntent(mounts);
	return ours;
}

bool config_mounts_are_below(const struct config *config)
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

/* realpath of a directory that may be a dead mount: its parent can always be asked. */
static char *absolute(const char *path)
{
	char *parent = strdup(path), *whole = NULL, *slash, *real;
	size_t length = strlen(path);

	real = realpath(path, NULL);
	if (real || !parent || errno != ENOTCONN)
		goto out;
	while (length > 1 && parent[length - 1] == '/')
		parent[--length] = '\0';
	slash = strrchr(parent, '/');
	if (slash)
		*slash = '\0';
	whole = realpath(!slash ? "." : slash == parent ? "/" : parent, NULL);
	if (whole &&
	    asprintf(&real, "%s/%s", strcmp(whole, "/") ? whole : "", slash ? slash + 1 : parent) < 0)
		real = NULL;
out:
	free(whole);
	free(parent);
	return real;
}

static int refuse(const struct config *config, int error, const char *remedy)
{
	complain(config, "can't mount on %s: %s: %s", config->mountpoint, strerror(error), remedy);
	return -error;
}

/* Major and minor number of /dev/fuse. */
#define FUSE_DEVICE makedev(10, 229)

/* What is mounted there is not looked at: that the descriptor is one of FUSE, and mounted, can be told without it. */
static int check_descriptor(const struct config *config)
{
	static const char remedy[] =
		"give one of /dev/fuse that is mounted, as mount.fuse3 -o drop_privileges does";
	struct pollfd poll_for = {.fd = config->mount_fd, .events = POLLIN};
	struct stat status;

	if (fstat(config->mount_fd, &status))
		return refuse(config, errno, remedy);
	if (!S_ISCHR(status.st_mode) || status.st_rdev != FUSE_DEVICE)
		return refuse(config, ENODEV, remedy);
	return poll(&poll_for, 1, 0) > 0 && poll_for.revents & POLLERR ? refuse(config, ENOTCONN, remedy) : 0;
}

int config_check_mountpoint(struct config *config)
{
	struct statx status;
	char *real;
	int error;

	if (config->mount_fd >= 0)
		return check_descriptor(config);
	config->dead_mount = false;
	/* Of a mount whose daemon was killed a moment ago the kernel still knows what it would answer: it has to be asked again. */
	error = statx(AT_FDCWD, config->mountpoint, AT_STATX_FORCE_SYNC, STATX_TYPE, &status) ? errno : 0;
	real = error == 0 || error == ENOTCONN ? absolute(config->mountpoint) : NULL;
	if (real) {
		free(config->mountpoint);
		config->mountpoint = real;
	} else if (error == 0 || error == ENOTCONN) {
		return refuse(config, errno, "see that its path can be followed");
	}
	if (error == ENOENT)
		return refuse(config, error, "make it with mkdir, or correct the path");
	if (error == ENOTCONN) {
		config->dead_mount = is_our_mount(config->mountpoint);
		return config->dead_mount
			       ? 0
			       : refuse(config, error, "a file system there has died: umount it first");
	}
	if (error)
		return refuse(config, error, "see that its path can be followed");
	if (!S_ISDIR(status.stx_mode))
		return refuse(config, ENOTDIR, "give a directory");
	return 0;
}
