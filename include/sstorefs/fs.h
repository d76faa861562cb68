#pragma once

#include "sstorefs/catalog.h"
#include "sstorefs/config.h"
#include "sstorefs/error_log.h"
#include "sstorefs/locked.h"

/*
 * The file system: answers the kernel's requests from the catalog, and holds what is written until
 * it is published.
 */
struct fs;

struct fs_options {
	struct loop *loop;
	struct catalog *catalog;
	struct locked_pool *pool;
	struct error_log *error_log;
	const struct config *config;
	const struct token *token;
	/* Called once, from the loop, when the mount was unmounted or its descriptor is broken. */
	void (*ended)(void *context);
	/* Unmounts, at the end; not called if the mount is gone already. */
	void (*unmount)(void *context);
	/* Called after a write to `.sstorefs/refresh`. */
	void (*refresh)(void *context);
	void *context;
};

/* Makes a file system that is not mounted yet. Everything in `options` must outlive it. Returns 0
 * or -ENOMEM. */
int fs_new(struct fs **fs, const struct fs_options *options);
void fs_free(struct fs *fs);

/* Serves the mount behind `descriptor` (/dev/fd/N), which the fs then owns. Returns 0 or -errno. */
int fs_mount(struct fs *fs, const char *descriptor);

/*
 * Ends the mount: new opens fail with ESHUTDOWN, dirty values that are whole are published,
 * unfinished ones are wiped and named in the log. `drained` is called from the loop when nothing is
 * in flight any more, or at `deadline` (CLOCK_BOOTTIME, milliseconds); `lost` counts the values
 * that were not stored.
 */
void fs_drain(struct fs *fs, uint64_t deadline, void (*drained)(void *context, unsigned lost),
	      void *context);

/* Invalidates the names that the kernel has cached, since Linux 6.16; before, they last up to a
 * second. */
void fs_forget_names(struct fs *fs);
