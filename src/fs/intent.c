/*
 * What a LOOKUP is for. The kernel does not say, but the thread that waits for its reply is in a
 * system call, whose arguments /proc shows. Without it a first write would cost a call for nothing.
 */
#include "intent.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "fs_internal.h"
#include "sstorefs/proc.h"
#include "sstorefs/quota.h"

/* A response that is younger shows that the token is accepted and the service is well,
 * milliseconds. With an older one the LOOKUP makes a call, and open(2) reports what that finds. */
#define RESPONSE_AGE_MAX 15000

/* Reads the flags of the open(2) or openat(2) that the thread is in. Returns false if it is in
 * none, or /proc does not show it. The read takes the lock that execve(2) holds while it flushes
 * files of this mount; no execve of the process gets there before the thread has its reply. */
static bool open_flags(pid_t thread, unsigned *flags)
{
	char text[256];
	unsigned long second, third;
	long number;

	if (proc_read_of(thread, "syscall", text, sizeof text) <= 0 ||
	    sscanf(text, "%ld 0x%*x 0x%lx 0x%lx", &number, &second, &third) != 3)
		return false;
	*flags = (unsigned)third;
	if (number == SYS_openat)
		return true;
#ifdef SYS_open
	*flags = (unsigned)second;
	return number == SYS_open;
#else
	return false;
#endif
}

static bool knows_something(struct fs *fs, struct store *store, const char *name)
{
	struct listing *listing = store_secrets(store);
	struct snapshot *view = listing_last_complete(listing);
	bool has_view = view != NULL;

	snapshot_release(view);
	return has_view || listing_peek_any(listing, name) ||
	       quota_is_exhausted(fs->catalog, store);
}

static bool is_well(const struct fs *fs)
{
	const struct net_counts *counts = catalog_net_counts(fs->catalog);

	return counts->reachable && !catalog_unauthorized(fs->catalog) &&
	       !catalog_down_for_changes(fs->catalog) &&
	       loop_now(fs->loop) - counts->last_response_at < RESPONSE_AGE_MAX;
}

bool intent_is_to_put(struct fs *fs, struct store *store, const char *name, pid_t thread)
{
	const unsigned creates = O_CREAT | O_TRUNC,
		       others = O_EXCL | O_APPEND | O_PATH | O_DIRECTORY;
	unsigned flags;

	return is_well(fs) && !fs->config->nocreate && !fs->config->read_only &&
	       !fs->provider->has_expiry && fs->provider->name_is_valid(name) &&
	       !knows_something(fs, store, name) && open_flags(thread, &flags) &&
	       (flags & (creates | others)) == creates && (flags & O_ACCMODE) != O_RDONLY;
}
