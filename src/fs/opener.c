/*
 * Who opened a file, whether he still holds it, and whether he is dying: what /proc tells about processes. What follows from it is
 * publication.c.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

#define ENTRIES_A_TURN 1000  /* descriptors looked at before others get their turn (15 000 took 106 ms) */
#define ENTRIES_MAX    20000 /* above that the question costs more than the answer is worth */
#define STAT_SIZE      2048  /* /proc/PID/stat has 52 numbers and a name of 15 bytes */

#define FLAG_EXITING 0x4u /* PF_EXITING, include/linux/sched.h */

/* Reads a small file of /proc whole. Returns its length, or -1. */
static ssize_t read_whole(int directory, const char *path, char *text, size_t size)
{
	int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -1;
	length = read(fd, text, size - 1);
	close(fd);
	if (length >= 0)
		text[length] = '\0';
	return length;
}

/* The number in field `field` of /proc/PID/stat, counted from 1 as proc(5) does; the name before the last ')' may hold anything. */
static bool stat_field(const char *text, unsigned field, uint64_t *number)
{
	const char *at = strrchr(text, ')');

	for (unsigned i = 2; at && i < field; i++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at && sscanf(at, "%" SCNu64, number) == 1;
}

static bool read_stat(pid_t process, char text[static STAT_SIZE])
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
	return read_whole(AT_FDCWD, path, text, STAT_SIZE) > 0;
}

static bool start_time(pid_t process, uint64_t *started_at)
{
	char text[STAT_SIZE];

	return read_stat(process, text) && stat_field(text, 22, started_at);
}

/* The thread group of a thread, and its name; 0 if it can't be told. */
static pid_t process_of(pid_t thread, char program[static 32])
{
	char path[64], text[4096];
	const char *line;
	int process = 0;

	if (thread <= 0)
		return 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
	if (read_whole(AT_FDCWD, path, text, sizeof text) <= 0)
		return 0;
	sscanf(text, "Name:\t%31[^\n]", program);
	line = strstr(text, "\nTgid:");
	if (line)
		sscanf(line, "\nTgid:%d", &process);
	return process;
}

void opener_identify(struct opener *opener, pid_t thread)
{
	*opener = (struct opener){0};
	opener->process = process_of(thread, opener->program);
	if (opener->process && !start_time(opener->process, &opener->started_at))
		opener->process = 0;
}

/* Whether `thread` is on its way out, by a signal or with a status other than 0. */
static bool is_dying(pid_t thread)
{
	uint64_t flags = 0, code = 0;
	char text[STAT_SIZE];

	return read_stat(thread, text) && stat_field(text, 9, &flags) && (flags & FLAG_EXITING) &&
	       stat_field(text, 52, &code) && code != 0;
}

enum flusher opener_compare(const struct opener *opener, pid_t thread)
{
	struct opener flusher;

	if (!opener->process)
		return FLUSHER_UNKNOWN;
	opener_identify(&flusher, thread);
	if (!flusher.process)
		return FLUSHER_UNKNOWN;
	if (flusher.process != opener->process || flusher.started_at != opener->started_at)
		return FLUSHER_OTHER;
	return is_dying(thread) ? FLUSHER_DYING : FLUSHER_OPENER;
}

static void search_end(struct holding_search *search, enum holding holding)
{
	task_cancel(&search->task);
	if (search->directory)
		closedir(search->directory);
	search->directory = NULL;
	search->done(search, holding);
}

/* Whether the descriptor that `name` tells about is one of the inode. Kernels before 5.14 don't say. */
static enum holding look_at(const struct holding_search *search, const char *name)
{
	char text[1024];
	const char *line;
	uint64_t inode;

	if (read_whole(dirfd(search->directory), name, text, sizeof text) < 0)
		return HOLDING_NONE; /* closed meanwhile */
	line = strstr(text, "\nino:");
	if (!line || sscanf(line, "\nino:%" SCNu64, &inode) != 1)
		return HOLDING_UNKNOWN;
	return inode == search->inode ? HOLDING_SOME : HOLDING_NONE;
}

static void look_on(struct task *task)
{
	struct holding_search *search = container_of(task, struct holding_search, task);
	unsigned until = search->seen + ENTRIES_A_TURN;
	struct dirent *entry;

	while (search->seen < until) {
		enum holding holding;

		entry = readdir(search->directory);
		if (!entry) {
			search_end(search, HOLDING_NONE);
			return;
		}
		if (entry->d_name[0] == '.')
			continue;
		search->seen++;
		holding = look_at(search, entry->d_name);
		if (holding != HOLDING_NONE) {
			search_end(search, holding);
			return;
		}
	}
	if (search->seen >= ENTRIES_MAX)
		search_end(search, HOLDING_UNKNOWN);
	else
		task_queue(search->loop, &search->task);
}

void holding_search_start(struct holding_search *search)
{
	uint64_t started_at;
	char path[64];

	search->task = (struct task){.run = look_on};
	search->seen = 0;
	search->directory = NULL;
	if (!start_time(search->process, &started_at) || started_at != search->started_at) {
		search_end(search, HOLDING_NONE);
		return;
	}
	snprintf(path, sizeof path, "/proc/%d/fdinfo", (int)search->process);
	search->directory = opendir(path);
	if (search->directory)
		look_on(&search->task);
	else
		search_end(search, HOLDING_UNKNOWN);
}

void holding_search_cancel(struct holding_search *search)
{
	task_cancel(&search->task);
	if (search->directory)
		closedir(search->directory);
	search->directory = NULL;
}
