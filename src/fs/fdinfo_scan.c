/*
 * Searches /proc/PID/fdinfo for a descriptor of an inode, in slices of time that all searches
 * share.
 *
 * fdinfo has the inode's number. Reading it can take milliseconds: that of an epoll instance lists
 * all its watches. There is no quicker way: the link /proc/PID/fd/N is read under the lock that
 * exec holds while it waits for our reply (see opener.c), and stat(2) of its target would come back
 * to us as a request. So searches are limited by time.
 */
#include <dirent.h>
#include <inttypes.h>
#include <time.h>

#include "fs_internal.h"
#include "sstorefs/proc.h"

/* Microseconds: */
#define FIRST_SLICE 200	    /* of a search when it starts: most end within it */
#define SLICE	    4000    /* of all searches together in one iteration of the loop */
#define TOTAL	    5000000 /* processor time of one search: about a million descriptors take it */

static uint64_t microseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- the queue of searches */

static void leave_queue(struct fdinfo_scan *scan)
{
	if (!scan->link.tqe_prev)
		return;
	TAILQ_REMOVE(&scan->fs->scans, scan, link);
	scan->link.tqe_prev = NULL;
}

void fdinfo_scan_cancel(struct fdinfo_scan *scan)
{
	struct process *process = scan->process;

	if (!scan->fs)
		return;
	leave_queue(scan);
	scan->process = NULL;
	process_release(scan->fs, process);
}

static void search_end(struct fdinfo_scan *scan, enum fd_holding holding)
{
	fdinfo_scan_cancel(scan);
	scan->done(scan, holding);
}

/* --- searching */

static enum fd_holding open_table(const struct fdinfo_scan *scan, DIR **table)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/fdinfo", (int)scan->id);
	*table = opendir(path);
	if (!*table && process_has_ended(scan->process))
		return FD_HOLDING_NONE;
	if (!*table)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? FD_HOLDING_UNSEEN
									     : FD_HOLDING_UNKNOWN;
	/* telldir() positions of a /proc directory stay valid when it is opened again. */
	if (scan->position)
		seekdir(*table, scan->position);
	return FD_HOLDING_NONE;
}

/* Reads whether the descriptor `name` is one of the inode. Kernels before 5.14 do not show it. */
static enum fd_holding check_descriptor(DIR *table, fuse_ino_t wanted, const char *name)
{
	char text[1024];
	const char *line;
	uint64_t inode;
	ssize_t length = proc_read(dirfd(table), name, text, sizeof text);

	if (length < 0)
		return length == -ENOBUFS ? FD_HOLDING_UNSEEN
					  : FD_HOLDING_NONE; /* closed meanwhile */
	line = strstr(text, "\nino:");
	if (!line || sscanf(line, "\nino:%" SCNu64, &inode) != 1)
		return FD_HOLDING_UNKNOWN;
	return inode == wanted ? FD_HOLDING_SOME : FD_HOLDING_NONE;
}

/* Searches until the result is known, which sets `ended`, or until `until`. */
static enum fd_holding scan_table(struct fdinfo_scan *scan, DIR *table, uint64_t until, bool *ended)
{
	enum fd_holding holding = FD_HOLDING_NONE;
	struct dirent *entry;

	*ended = true;
	while (holding == FD_HOLDING_NONE && (entry = readdir(table))) {
		if (entry->d_name[0] != '.')
			holding = check_descriptor(table, scan->inode, entry->d_name);
		if (holding == FD_HOLDING_NONE && microseconds(CLOCK_MONOTONIC) >= until) {
			scan->position = telldir(table);
			*ended = false;
			break;
		}
	}
	return holding;
}

static void scan_queued(struct task *task);

/* Runs one slice of a search, then ends it or queues the next. Returns true if it has ended. */
static bool scan_slice(struct fdinfo_scan *scan, uint64_t until)
{
	uint64_t began = microseconds(CLOCK_THREAD_CPUTIME_ID);
	struct fs *fs = scan->fs;
	DIR *table = NULL;
	enum fd_holding holding = FD_HOLDING_NONE;
	bool ended = true;

	if (!process_has_ended(scan->process)) {
		holding = open_table(scan, &table);
		if (table)
			holding = scan_table(scan, table, until, &ended);
		if (table)
			closedir(table);
	}
	if (!ended) {
		scan->time_used += microseconds(CLOCK_THREAD_CPUTIME_ID) - began;
		ended = scan->time_used >= TOTAL;
		holding = FD_HOLDING_UNSEEN;
	}
	if (ended) {
		search_end(scan, holding);
		return true;
	}
	TAILQ_INSERT_TAIL(&fs->scans, scan, link);
	fs->scan_task.run = scan_queued;
	task_queue(fs->loop, &fs->scan_task);
	return false;
}

/* Continues the queued searches, one after the other, for the slice of this iteration. */
static void scan_queued(struct task *task)
{
	struct fs *fs = container_of(task, struct fs, scan_task);
	uint64_t until = microseconds(CLOCK_MONOTONIC) + SLICE;

	while (!TAILQ_EMPTY(&fs->scans)) {
		struct fdinfo_scan *scan = TAILQ_FIRST(&fs->scans);

		leave_queue(scan);
		if (!scan_slice(scan, until) || microseconds(CLOCK_MONOTONIC) >= until)
			break;
	}
	if (!TAILQ_EMPTY(&fs->scans))
		task_queue(fs->loop, task);
}

void fdinfo_scan_start(struct fdinfo_scan *scan)
{
	scan->id = scan->thread ? scan->thread : scan->process->id;
	scan->process->references++;
	scan->position = 0;
	scan->time_used = 0;
	scan->link.tqe_prev = NULL;
	scan_slice(scan, microseconds(CLOCK_MONOTONIC) + FIRST_SLICE);
}
