#ifndef SSTOREFS_FS_OPENER_H
#define SSTOREFS_FS_OPENER_H

#include "fs_base.h"

/*
 * The process that has opened a handle, and what it still holds open.
 */

struct handle;

/* The process that opened a handle (DESIGN 3, rules 4 and 7). */
struct opener {
	struct process *process; /* one for all handles that it opened; NULL: could not be told */
	uint64_t owner;		 /* where the process is not known: whose FLUSH publishes */
	bool owner_known, owner_ambiguous;
	bool owner_opened; /* it was told by an empty first FLUSH, which only he who opened makes */
	char program[32];  /* its name as /proc has it, "" where it can't be told */
};

/* Who has written what a handle holds. */
enum writer_kind {
	WRITER_NONE,
	WRITER_OPENER, /* its opener, or what can't be told: nobody takes its place */
	WRITER_ONE,    /* one other process, or it and its children */
	WRITER_MANY,
};

struct writer {
	enum writer_kind kind;
	struct process *process; /* of WRITER_ONE */
	pid_t thread;		 /* the last that wrote */
	pid_t parent;		 /* of `process` when it began */
};

/* A process that has opened something, or writes what another has opened. Each costs a descriptor.
 */
struct process {
	pid_t id;
	int descriptor; /* pidfd: ready to read when it has ended, even if another has its id then
			 */
	unsigned references;
	bool listed;
};

int processes_compare(const void *left, const void *right);

/* How many may be known at once: what the limit of open files leaves beside our own needs. */
unsigned processes_most(void);

bool process_has_ended(const struct process *process);

void process_release(struct fs *fs, struct process *process);

/* References the parent of a process; NULL when there is none. Returns 0, -ESRCH where /proc does
 * not show it, -ENOBUFS. */
int process_of_parent(struct fs *fs, const struct process *process, struct process **parent);

/* Reads a small file of /proc whole, with a NUL behind it. Returns its length, -ESRCH when there is
 * nothing to be seen, -ENOBUFS when we have not the means. */
ssize_t proc_read(int directory, const char *path, char *text, size_t size);

/* Who is `thread` (a FUSE request's pid), which is opening? `opener->process` is NULL where /proc
 * can't tell. Returns 0, or -ENOBUFS when there are no descriptors to tell with. */
int opener_identify(struct fs *fs, struct opener *opener, pid_t thread);

void opener_finish(struct fs *fs, struct opener *opener);

/* `thread` is about to write. Returns 0 or -ENOBUFS. */
int writer_note(struct fs *fs, struct handle *handle, pid_t thread);

void writer_forget(struct fs *fs, struct writer *writer, enum writer_kind kind);

/* The name of the program that `thread` runs, "" where it can't be told. */
void program_of(pid_t thread, char program[static 32]);

/* What the flushing thread is to the handle. */
enum flush_origin {
	FLUSH_UNKNOWN,	/* /proc can't tell */
	FLUSH_UNSEEN,	/* it could, but we have not the descriptors or the memory */
	FLUSH_BY_OTHER, /* another process */
	FLUSH_BY_OPENER,
	FLUSH_BY_DYING_OPENER, /* the opener, ending by a signal or with a status other than 0 */
	FLUSH_BY_WRITER,       /* not the opener, but the process that wrote every byte */
	FLUSH_BY_DYING_WRITER,
};

/* The process's cgroup, which names its container; "" where it can't be told. */
void cgroup_of(pid_t process, char cgroup[static CGROUP_SIZE]);

#endif
