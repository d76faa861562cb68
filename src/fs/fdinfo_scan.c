/*
 * Whether a process still holds a descriptor of an inode: what /proc/PID/fdinfo tells, looked through in slices of time that all searches share.
 *
 * fdinfo has the inode's number. It can take milliseconds: that of an epoll instance lists all its watches. There is no quicker way to a descriptor: the link
 * /proc/PID/fd/N is read under the lock that exec holds while it waits for our answer (see opener.c), and stat(2) of what it leads to would come back to
 * us as a request. So it is time that is counted.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs_internal.h"

#define FIRST_SLICE 200	 /* microseconds that a search takes when it starts: most have ended by then */
#define SLICE	    4000 /* microseconds that all searches together take of one turn of the loop */
#define TOTAL                                                                                                \
	5000000 /* microseconds of processor time for one search: a million descriptors have about this */

static uint64_t microseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- a turn for each search ------------------------------------------------------------------------------------------------------ */

static void leave_queue(struct holding_search *search)
{
	struct search_queue *queue = &search->fs->searches;

	if (!search->link)
		return;
	*search->link = search->next;
	if (search->next)
		search->next->link = search->link;
	else
		queue->last = search->link;
	search->next = NULL;
	search->link = NULL;
}

static void join_queue(struct holding_search *search)
{
	struct search_queue *queue = &search->fs->searches;

	search->next = NULL;
	search->link = queue->last;
	*queue->last = search;
	queue->last = &search->next;
	task_queue(search->fs->loop, &queue->task);
}

void holding_search_cancel(struct holding_search *search)
{
	struct process *process = search->process;

	if (!search->fs)
		return;
	leave_queue(search);
	search->process = NULL;
	process_release(search->fs, process);
}

static void search_end(struct holding_search *search, enum holding holding)
{
	holding_search_cancel(search);
	search->done(search, holding);
}

/* --- looking --------------------------------------------------------------------------------------------------------------------- */

static enum holding open_table(const struct holding_search *search, DIR **table)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/fdinfo", (int)search->id);
	*table = opendir(path);
	if (!*table && process_has_ended(search->process))
		return HOLDING_NONE;
	if (!*table)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? HOLDING_UNSEEN
									     : HOLDING_UNKNOWN;
	/* Where the kernel stops is what telldir() tells, also of another opening of the same directory. */
	if (search->position)
		seekdir(*table, search->position);
	return HOLDING_NONE;
}

/* Whether the descriptor that `name` tells about is one of the inode. Kernels before 5.14 don't say. */
static enum holding look_at(DIR *table, fuse_ino_t wanted, const char *name)
{
	char text[1024];
	const char *line;
	uint64_t inode;
	ssize_t length = proc_read(dirfd(table), name, text, sizeof text);

	if (length < 0)
		return length == -ENOBUFS ? HOLDING_UNSEEN : HOLDING_NONE; /* closed meanwhile */
	line = strstr(text, "\nino:");
	if (!line || sscanf(line, "\nino:%" SCNu64, &inode) != 1)
		return HOLDING_UNKNOWN;
	return inode == wanted ? HOLDING_SOME : HOLDING_NONE;
}

/* Looks until it is known, which sets `ended`, or until the moment `until`. */
static enum holding look_through(struct holding_search *search, DIR *table, uint64_t until, bool *ended)
{
	enum holding holding = HOLDING_NONE;
	struct dirent *entry;

	*ended = true;
	while (holding == HOLDING_NONE && (entry = readdir(table))) {
		if (entry->d_name[0] != '.')
			holding = look_at(table, search->inode, entry->d_name);
		if (holding == HOLDING_NONE && microseconds(CLOCK_MONOTONIC) >= until) {
			search->position = telldir(table);
			*ended = false;
			break;
		}
	}
	return holding;
}

/* One slice of a search, which is over then, or queued for another. Returns whether it is over. */
static bool look_on(struct holding_search *search, uint64_t until)
{
	uint64_t began = microseconds(CLOCK_THREAD_CPUTIME_ID);
	DIR *table = NULL;
	enum holding holding = HOLDING_NONE;
	bool ended = true;

	if (!process_has_ended(search->process)) {
		holding = open_table(search, &table);
		if (table)
			holding = look_through(search, table, until, &ended);
		if (table)
			closedir(table);
	}
	if (!ended) {
		search->spent += microseconds(CLOCK_THREAD_CPUTIME_ID) - began;
		ended = search->spent >= TOTAL;
		holding = HOLDING_UNSEEN;
	}
	if (ended)
		search_end(search, holding);
	else
		join_queue(search);
	return ended;
}

/* The searches that are under way, one after the other, until the slice of this turn is used up. */
static void look_in_turn(struct task *task)
{
	struct search_queue *queue = container_of(task, struct search_queue, task);
	uint64_t until = microseconds(CLOCK_MONOTONIC) + SLICE;

	while (queue->first) {
		struct holding_search *search = queue->first;

		leave_queue(search);
		if (!look_on(search, until) || microseconds(CLOCK_MONOTONIC) >= until)
			break;
	}
	if (queue->first)
		task_queue(queue->loop, task);
}

void holding_search_start(struct holding_search *search)
{
	search->id = search->thread ? search->thread : search->process->id;
	search->process->references++;
	search->position = 0;
	search->spent = 0;
	search->link = NULL;
	look_on(search, microseconds(CLOCK_MONOTONIC) + FIRST_SLICE);
}

void search_queue_init(struct search_queue *queue, struct loop *loop)
{
	*queue = (struct search_queue){.loop = loop, .last = &queue->first, .task.run = look_in_turn};
}
