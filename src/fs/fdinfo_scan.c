/*
 * Whether a process still holds a descriptor of an inode: what /proc/PID/fdinfo tells, looked
 * through in slices of time that all searches share.
 *
 * fdinfo has the inode's number. It can take milliseconds: that of an epoll instance lists all its
 * watches. There is no quicker way to a descriptor: the link /proc/PID/fd/N is read under the lock
 * that exec holds while it waits for our answer (see opener.c), and stat(2) of what it leads to
 * would come back to us as a request. So it is time that is counted.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fdinfo_scan.h"
#include "fs_internal.h"
#include "inode.h"
#include "opener.h"

#define FIRST_SLICE                                                                                \
	200	   /* microseconds that a search takes when it starts: most have ended by then */
#define SLICE 4000 /* microseconds that all searches together take of one turn of the loop */
#define TOTAL                                                                                      \
	5000000 /* microseconds of processor time for one search: a million descriptors have about \
		   this */

static uint64_t microseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- a turn for each search
 * ------------------------------------------------------------------------------------------------------
 */

static void leave_queue(struct fdinfo_scan *scan)
{
	struct search_queue *queue = &scan->fs->searches;

	if (!scan->link)
		return;
	*scan->link = scan->next;
	if (scan->next)
		scan->next->link = scan->link;
	else
		queue->last = scan->link;
	scan->next = NULL;
	scan->link = NULL;
}

static void join_queue(struct fdinfo_scan *scan)
{
	struct search_queue *queue = &scan->fs->searches;

	scan->next = NULL;
	scan->link = queue->last;
	*queue->last = scan;
	queue->last = &scan->next;
	task_queue(scan->fs->loop, &queue->task);
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

/* --- looking
 * ---------------------------------------------------------------------------------------------------------------------
 */

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
	/* Where the kernel stops is what telldir() tells, also of another opening of the same
	 * directory. */
	if (scan->position)
		seekdir(*table, scan->position);
	return FD_HOLDING_NONE;
}

/* Whether the descriptor that `name` tells about is one of the inode. Kernels before 5.14 don't
 * say. */
static enum fd_holding look_at(DIR *table, fuse_ino_t wanted, const char *name)
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

/* Looks until it is known, which sets `ended`, or until the moment `until`. */
static enum fd_holding look_through(struct fdinfo_scan *scan, DIR *table, uint64_t until,
				    bool *ended)
{
	enum fd_holding holding = FD_HOLDING_NONE;
	struct dirent *entry;

	*ended = true;
	while (holding == FD_HOLDING_NONE && (entry = readdir(table))) {
		if (entry->d_name[0] != '.')
			holding = look_at(table, scan->inode, entry->d_name);
		if (holding == FD_HOLDING_NONE && microseconds(CLOCK_MONOTONIC) >= until) {
			scan->position = telldir(table);
			*ended = false;
			break;
		}
	}
	return holding;
}

/* One slice of a search, which is over then, or queued for another. Returns whether it is over. */
static bool look_on(struct fdinfo_scan *scan, uint64_t until)
{
	uint64_t began = microseconds(CLOCK_THREAD_CPUTIME_ID);
	DIR *table = NULL;
	enum fd_holding holding = FD_HOLDING_NONE;
	bool ended = true;

	if (!process_has_ended(scan->process)) {
		holding = open_table(scan, &table);
		if (table)
			holding = look_through(scan, table, until, &ended);
		if (table)
			closedir(table);
	}
	if (!ended) {
		scan->time_used += microseconds(CLOCK_THREAD_CPUTIME_ID) - began;
		ended = scan->time_used >= TOTAL;
		holding = FD_HOLDING_UNSEEN;
	}
	if (ended)
		search_end(scan, holding);
	else
		join_queue(scan);
	return ended;
}

/* The searches that are under way, one after the other, until the slice of this turn is used up. */
static void look_in_turn(struct task *task)
{
	struct search_queue *queue = container_of(task, struct search_queue, task);
	uint64_t until = microseconds(CLOCK_MONOTONIC) + SLICE;

	while (queue->first) {
		struct fdinfo_scan *scan = queue->first;

		leave_queue(scan);
		if (!look_on(scan, until) || microseconds(CLOCK_MONOTONIC) >= until)
			break;
	}
	if (queue->first)
		task_queue(queue->loop, task);
}

void fdinfo_scan_start(struct fdinfo_scan *scan)
{
	scan->id = scan->thread ? scan->thread : scan->process->id;
	scan->process->references++;
	scan->position = 0;
	scan->time_used = 0;
	scan->link = NULL;
	look_on(scan, microseconds(CLOCK_MONOTONIC) + FIRST_SLICE);
}

void search_queue_init(struct search_queue *queue, struct loop *loop)
{
	*queue = (struct search_queue){
		.loop = loop, .last = &queue->first, .task.run = look_in_turn};
}
