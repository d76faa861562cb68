/*
 * Who opened a file, whether he still holds it, and whether he is dying: what /proc and pidfds tell about processes. What follows from it
 * is publication.c.
 *
 * A process that executes another program closes what is to be closed (O_CLOEXEC) with its exec_update_lock held, and waits for our answer. Whatever
 * takes that lock must not be read then, or both wait for ever, and with them every `ps` of the machine: of /proc/PID/ that is `stat`, `wchan`, `stack`,
 * `syscall`, `io` and `environ`; not `status` and `fdinfo`.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs.h"

#define ENTRIES_A_TURN 1000  /* descriptors looked at before others get their turn (15 000 took 106 ms) */
#define ENTRIES_MAX    20000 /* above that the question costs more than the answer is worth */
#define STATUS_SIZE    (16 << 10) /* of /proc/PID/status, with a line of all supplementary groups */
#define STAT_SIZE      2048	  /* /proc/PID/stat has 52 numbers and a name of 15 bytes */

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

/* Its thread group's id, from the text of /proc/THREAD/status; 0: can't be told. */
static pid_t process_in(const char *status)
{
	const char *line = strstr(status, "\nTgid:");
	int process = 0;

	if (line)
		sscanf(line, "\nTgid:%d", &process);
	return process;
}

static bool read_status(pid_t thread, char text[static STATUS_SIZE])
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
	return thread > 0 && read_whole(AT_FDCWD, path, text, STATUS_SIZE) > 0;
}

void program_of(pid_t thread, char program[static 32])
{
	char text[STATUS_SIZE];

	*program = '\0';
	if (read_status(thread, text))
		sscanf(text, "Name:\t%31[^\n]", program);
}

/* --- processes that have something open ------------------------------------------------------------------------------------------ */

struct process {
	pid_t id;
	int descriptor; /* pidfd: ready to read when it has ended, whoever has its id then */
	unsigned references;
	bool listed;
};

int processes_compare(const void *left, const void *right)
{
	const struct process *a = left, *b = right;

	return (a->id > b->id) - (a->id < b->id);
}

static bool has_ended(const struct process *process)
{
	struct pollfd ended = {.fd = process->descriptor, .events = POLLIN};

	return poll(&ended, 1, 0) != 0;
}

static void process_unlist(struct fs *fs, struct process *process)
{
	if (process->listed)
		tree_remove(&fs->processes, process);
	process->listed = false;
}

static struct process *process_new(struct fs *fs, pid_t id)
{
	struct process *process = calloc(1, sizeof *process);

	if (!process)
		return NULL;
	process->id = id;
	process->descriptor = (int)syscall(SYS_pidfd_open, id, 0);
	if (process->descriptor < 0 || !tree_add(&fs->processes, process)) {
		if (process->descriptor >= 0)
			close(process->descriptor);
		free(process);
		return NULL;
	}
	process->listed = true;
	return process;
}

static struct process *process_reference(struct fs *fs, pid_t id)
{
	struct process key = {.id = id};
	struct process *process = tree_find(&fs->processes, &key);

	if (process && has_ended(process)) {
		process_unlist(fs, process);
		process = NULL;
	}
	if (!process)
		process = process_new(fs, id);
	if (process)
		process->references++;
	return process;
}

void opener_identify(struct fs *fs, struct opener *opener, pid_t thread)
{
	char text[STATUS_SIZE];
	pid_t id;

	*opener = (struct opener){0};
	if (!read_status(thread, text))
		return;
	sscanf(text, "Name:\t%31[^\n]", opener->program);
	id = process_in(text);
	if (id)
		opener->process = process_reference(fs, id);
}

void opener_finish(struct fs *fs, struct opener *opener)
{
	struct process *process = opener->process;

	opener->process = NULL;
	if (!process || --process->references)
		return;
	process_unlist(fs, process);
	close(process->descriptor);
	free(process);
}

/* --- who closes ------------------------------------------------------------------------------------------------------------------ */

/* Who ends has given his memory back before he closes his files, so the lines about it are missing; the threads are told after them. */
static bool is_ending(const char *status)
{
	return strstr(status, "\nThreads:") && !strstr(status, "\nVmSize:");
}

/* Whether it ends by a signal or with a status other than 0. Only for who is ending: he executes nothing any more. */
static bool ends_badly(pid_t thread)
{
	uint64_t flags = 0, code = 0;
	char path[64], text[STAT_SIZE];

	snprintf(path, sizeof path, "/proc/%d/stat", (int)thread);
	return read_whole(AT_FDCWD, path, text, sizeof text) > 0 && stat_field(text, 9, &flags) &&
	       (flags & FLAG_EXITING) && stat_field(text, 52, &code) && code != 0;
}

enum flusher opener_compare(const struct opener *opener, pid_t thread)
{
	char text[STATUS_SIZE];
	pid_t id;

	if (!opener->process || !read_status(thread, text))
		return FLUSHER_UNKNOWN;
	id = process_in(text);
	if (!id)
		return FLUSHER_UNKNOWN;
	if (id != opener->process->id || has_ended(opener->process))
		return FLUSHER_OTHER;
	return is_ending(text) && ends_badly(thread) ? FLUSHER_DYING : FLUSHER_OPENER;
}

/* --- what is still open ---------------------------------------------------------------------------------------------------------- */

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
	pid_t thread = search->thread ? search->thread : search->process->id;
	char path[64];

	search->task = (struct task){.run = look_on};
	search->seen = 0;
	search->directory = NULL;
	if (has_ended(search->process)) {
		search_end(search, HOLDING_NONE);
		return;
	}
	snprintf(path, sizeof path, "/proc/%d/fdinfo", (int)thread);
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
