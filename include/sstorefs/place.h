#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "sstorefs/buffer.h"

/*
 * A directory to mount on, opened once. Mounting and unmounting go through its descriptors, so that
 * a user who can change the path cannot lead root elsewhere in the meantime.
 *
 * The rule for root: a symbolic link is followed only if no other user can have made it, that is, a
 * link that root owns in a directory that root owns and that others cannot write to, or that is
 * sticky as /tmp is. In directories that other users can change, links and `..` are not followed.
 */
struct mount_place {
	int directory;	   /* O_PATH, of what is topmost there; -1: none */
	int parent;	   /* O_PATH, of what it was found in; -1 for `/`, `.` and `..` */
	char *name;	   /* in `parent` */
	char *path;	   /* absolute, for messages and for fusermount3 */
	bool open_to_root; /* what place_is_open_to_root said before the mount */
};

/* A place that is not open; place_close accepts it. */
#define PLACE_NONE                                                                                 \
	(struct mount_place)                                                                       \
	{                                                                                          \
		.directory = -1, .parent = -1                                                      \
	}

/*
 * Opens `path`, which may be a mount whose daemon is dead. Without root all links are followed:
 * they lead to nothing that the caller may not mount on anyway. Returns 0 or -errno (-ENOTDIR,
 * -ENOENT, -ELOOP for a link that is not followed, …); `why` then has the remedy, if it is a
 * special one. Call place_close in both cases.
 */
int place_open(struct mount_place *place, const char *path, struct buffer *why);
void place_close(struct mount_place *place);

/* Returns 0, -ENOTCONN if the daemon of the mount there is dead, or another -errno of its
 * attributes. Asks the daemon, past the kernel's cache. */
int place_check(const struct mount_place *place);

/* True if an sstorefs mount is there. Never asks its daemon. */
bool place_is_ours(const struct mount_place *place);

/* Unmounts the topmost mount there, even if in use. Needs CAP_SYS_ADMIN. Returns 0 or -errno. */
int place_unmount(const struct mount_place *place);

/* Opens, after place_unmount, what was below, by its name; follows no link. Returns 0 or -errno. */
int place_look_again(struct mount_place *place);

/* True if the directory can be read, and has no entry. */
bool place_is_empty(const struct mount_place *place);

/*
 * True if root could write below a mount on this directory while nothing is mounted: it is neither
 * immutable and empty, nor on a read-only file system, nor an automount's, which would mount first.
 */
bool place_is_open_to_root(const struct mount_place *place);

/* Appends the line that says so of `path`, with what to do. */
void place_explain_open(struct buffer *line, const char *path);

struct place_mount {
	const char *source; /* what findmnt(8) shows */
	uid_t uid;	    /* whose mount it is */
	gid_t gid;
	bool allow_other, default_permissions, read_only;
};

/*
 * Opens /dev/fuse and mounts it there: nosuid, nodev, noexec. Takes CAP_SYS_ADMIN. Returns the
 * descriptor of /dev/fuse, or a negative errno with `failed` set to what it was about.
 */
int place_mount(const struct mount_place *place, const struct place_mount *mount,
		const char **failed);
