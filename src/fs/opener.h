#pragma once

#include "fs_base.h"

/*
 * The process that opened a handle, and the one that writes to it, as /proc and pidfds show them.
 */

/* The process that opened a handle, or took it over (doc/semantics.md, rules 4 to 7). */
struct opener {
	struct process *process; /* shared by its handles; NULL: /proc does not show it */
	uint64_t owner;		 /* the lock owner whose FLUSH publishes where `process` is NULL */
	bool owner_known, owner_ambiguous;
	bool owner_opened; /* `owner` is from a FLUSH before any WRITE: the opener's */
};

/* The processes that have written the value of a handle. */
enum writer_kind {
	WRITER_NONE,
	WRITER_OPENER, /* its opener, or it is not known: no process takes the handle over */
	WRITER_ONE,    /* one other process, or it and its children */
	WRITER_MANY,
};

struct writer {
	enum writer_kind kind;
	struct process *process; /* of WRITER_ONE */
	pid_t thread;		 /* that wrote last */
	pid_t parent;		 /* of `process` at its first WRITE */
};

/* A process that has opened a handle or writes to one. Each costs a descriptor. */
struct process {
	pid_t id;	/* the first member: the key of fs->processes */
	int descriptor; /* stands for the process, also once its id is reused */
	bool has_pidfd; /* `descriptor` is a pidfd; else /proc/PID/status is open */
	unsigned references;
	bool listed; /* in fs->processes; false once it has ended */
};

/* Returns how many processes may be known at once: RLIMIT_NOFILE less our own descriptors. */
unsigned processes_most(void);

/* True if it has ended, or is a zombie. */
bool process_has_ended(const struct process *process);

/* Drops a reference; NULL is let through. */
void process_release(struct fs *fs, struct process *process);

/* References the parent of a process; NULL when it has none. Returns 0, -ESRCH where /proc does not
 * show the process, or -ENOBUFS. */
int process_of_parent(struct fs *fs, const struct process *process, struct process **parent);

/* Fills in the opener and the program name of a handle from the process of `handle->actor.pid`; its
 * `process` is NULL where /proc does not show it. Returns 0, or -ENOBUFS when descriptors or memory
 * ran out. */
int opener_identify(struct fs *fs, struct handle *handle);

/* Notes that `thread` is about to write. Returns 0 or -ENOBUFS. */
int writer_note(struct fs *fs, struct handle *handle, pid_t thread);

/* Releases the writer's process. The writers are `kind` from now on. */
void writer_forget(struct fs *fs, struct handle *handle, enum writer_kind kind);

/* Makes `process` the writer (WRITER_ONE) in place of its child; takes over the reference. */
void writer_is_parent(struct fs *fs, struct handle *handle, struct process *process);

/* Fills in the name of the program that `thread` runs, "" where /proc does not show it. */
void program_of(pid_t thread, char program[static 32]);

/* The process that a FLUSH comes from. */
enum flush_origin {
	FLUSH_UNKNOWN,	/* /proc does not show it */
	FLUSH_UNSEEN,	/* descriptors or memory ran out, so /proc could not be read */
	FLUSH_BY_OTHER, /* another process */
	FLUSH_BY_OPENER,
	FLUSH_BY_DYING_OPENER, /* the opener, as it is killed or exits with a status other than 0 */
	FLUSH_BY_WRITER,       /* not the opener, but the process that wrote every byte */
	FLUSH_BY_DYING_WRITER,
};
