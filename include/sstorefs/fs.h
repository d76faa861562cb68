#ifndef SSTOREFS_FS_H
#define SSTOREFS_FS_H

#include "sstorefs/catalog.h"
#include "sstorefs/config.h"
#include "sstorefs/error_log.h"
#include "sstorefs/locked.h"

/*
 * The file system: what the kernel asks, answered from the catalog, and what writers write, held
 * until it is published.
 */
struct fs;

struct fs_options {
	struct loop *loop;
	struct catalog *catalog;
	struct locked_pool *pool;
	struct error_log *error_log;
	const struct config *config;
	/* The mount is gone (unmounted), or broken: called once, from the loop. */
	void (*ended)(void *context);
	/* Takes the mount away, at the end; not called where it is gone. */
	void (*unmount)(void *context);
	/* Somebody wrote to `.sstorefs/refresh`. */
	void (*refresh)(void *context);
	void *context;
};

/* Everything borrowed must outlive the fs. 0, -ENOMEM, -ENOBUFS. */
int fs_new(struct fs **fs, const struct fs_options *options);
void fs_free(struct fs *fs);

/* Begins to serve at `descriptor`, `/dev/fd/N` of a mount, which it then owns. 0, or a negative
 * errno. */
int fs_mount(struct fs *fs, const char *descriptor);

/*
 * The end: new opens fail with ESHUTDOWN, what is due is published, unfinished values are wiped and
 * named in the log. `drained` is called from the loop when nothing is in flight any more, or at
 * `deadline` (CLOCK_BOOTTIME, milliseconds); `lost` tells how many values were given up.
 */
void fs_drain(struct fs *fs, uint64_t deadline, void (*drained)(void *context, unsigned lost),
	      void *context);

/* What the kernel remembers of names counts no more, where it can be told that (since Linux 6.16);
 * else for a second at most. */
void fs_forget_names(struct fs *fs);

#endif
