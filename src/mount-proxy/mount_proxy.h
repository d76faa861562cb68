/*
 * The mount proxy: makes the mount, which takes root, and hands its descriptor to a daemon without
 * privileges.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sstorefs/place.h"

/* A mount, and the process that may have it. */
struct mount_spec {
	const char *mountpoint; /* absolute */
	const char *source;	/* what `findmnt` shows */
	uid_t uid;		/* the daemon's */
	gid_t gid;
	bool any_user;	  /* the daemon is any process of `unit` that asks */
	const char *unit; /* the daemon must run in this unit of the system's service manager; NULL:
			     it need not */
	bool allow_other, read_only;
	bool no_cover; /* mount no tmpfs below */
};

/* Opens /dev/fuse and mounts it, in place of a mount of sstorefs that may be there. Returns the
 * descriptor, or -errno after one line on stderr. While the descriptor is held, access to the mount
 * waits for replies. */
int mount_fuse(const struct mount_spec *spec);

/* Unmounts all mounts of sstorefs at `mountpoint`; their daemons, if they live, then end. Returns
 * 0, or -errno after one line on stderr. */
int unmount_ours(const char *mountpoint);

/* Makes the directory to mount on, which only root can write to, and those above it, unless they
 * are there. Returns 0, or -errno after one line on stderr. */
int make_mountpoint(const char *mountpoint);

/*
 * Makes the directory, as above, and closes it to root for the time that nothing is mounted there:
 * by making it immutable or, with `may_cover`, by a read-only tmpfs over it where that cannot be.
 * Then `covered` is that tmpfs, to be unmounted by place_unmount, else PLACE_NONE; call place_close
 * in both cases. Returns 0, or -errno after one line on stderr.
 */
int prepare_mountpoint(const char *mountpoint, bool may_cover, struct mount_place *covered);

/* Listens at the socket `path`, and gives a process of `spec->uid` that connects a new mount, and
 * no other process until that one has ended. Unmounts on SIGTERM and SIGINT. The process must share
 * our PID namespace: the kernel identifies writers by the numbers of the namespace of the mount.
 * Returns 0, or -errno after one line on stderr. */
int fd_serve(struct mount_spec *spec, const char *path);

/* Connects to the socket `path`, for which it waits for at most `seconds`, and receives the
 * descriptor of a mount. Returns it, or -errno after one line on stderr. */
int fd_request(const char *path, unsigned seconds);

/* Prints one line on stderr, with the message of the errno `error` at its end. Returns -error. */
int usage_error(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
