#ifndef SSTOREFS_PLACE_H
#define SSTOREFS_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "sstorefs/buffer.h"

/*
 * A directory to mount on, opened once: what is mounted and unmounted goes through descriptors, so
 * that nobody who may change the way there can lead root elsewhere in the meantime.
 *
 * The rule for who is root: a symbolic link is followed where only root could have made it, which
 * is one of root's in a directory that root owns and others can't write to, or have as in /tmp. In
 * directories that others can change there is no way through a link or `..`.
 */
struct mount_place {
	int directory; /* O_PATH, of what is topmost there; -1: none */
	int parent; /* O_PATH, of what it was found in; -1 where its name is none (`/`, `.`, `..`)
		     */
	char *name; /* in `parent` */
	char *path; /* absolute, for messages and for fusermount3 */
};

/* A place that is not open; place_close accepts it. */
#define PLACE_NONE                                                                                 \
	(struct mount_place)                                                                       \
	{                                                                                          \
		.directory = -1, .parent = -1                                                      \
	}

/*
 * Opens `path`, at which a mount may lie whose daemon is dead. Who is not root follows all links,
 * for he can be led to nothing that he may not mount on anyway. Returns 0, or a negative errno
 * (-ENOTDIR, -ENOENT, -ELOOP for a link that is not to be followed, …), with what is to be done in
 * `why` if that is special. place_close is right in both cases.
 */
int place_open(struct mount_place *place, const char *path, struct buffer *why);
void place_close(struct mount_place *place);

/* Whether its daemon is dead: 0 or -ENOTCONN; or what else is wrong with it. Asks the kernel anew,
 * and through it the daemon. */
int place_check(const struct mount_place *place);

/* True if a mount of ours lies there. Never asks its daemon. */
bool place_is_ours(const struct mount_place *place);

/* Unmounts the topmost mount there, even if it is in use. Takes CAP_SYS_ADMIN. Returns 0 or a
 * negative errno. */
int place_unmount(const struct mount_place *place);

/* After that: opens what came to light, by its name, and follows no link that stands there by now.
 * 0, or a negative errno. */
int place_look_again(struct mount_place *place);

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

#endif
