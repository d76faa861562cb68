/*
 * Identifies the process that opened a handle and those that write to it, and reads from /proc and
 * pidfds whether one of them is exiting, and how.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs_internal.h"
#include "sstorefs/proc.h"

#define STAT_SIZE	2048 /* /proc/PID/stat has 52 numbers and a name of 15 bytes */
#define OUR_DESCRIPTORS 256  /* for connections, resolvers, /proc and the token, not for pidfds */

#define FLAG_EXITING 0x4u /* PF_EXITING, include/linux/sched.h */

/* Reads the number in field `field` of /proc/PID/stat, counted from 1 as in proc(5). The name
 * before the last ')' may contain any character. */
static bool stat_field(const char *text, unsigned field, uint64_t *number)
{
	const char *at = strrchr(text, ')');

	for (unsigned i = 2; at && i < field; i++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at && sscanf(at, "%" SCNu64, number) == 1;
}

/* Fields of /proc/THREAD/status. */
struct status {
	pid_t process; /* the thread group's id */
	pid_t parent;
	bool ending;
	char program[32];
};

static pid_t number_in(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line ? (pid_t)strtol(line + strlen(name), NULL, 10) : 0;
}

static int parse_status(const char *text, struct status *status)
{
	*status = (struct status){.process = number_in(text, "\nTgid:"),
				  .parent = number_in(text, "\nPPid:")};
	sscanf(text, "Name:\t%31[^\n]", status->program);
	/* exit_mm() runs before exit_files(), so the Vm* lines of an exiting process are missing.
	 * "Threads:" comes later in the file and guards against a truncated read. */
	status->ending = strstr(text, "\nThreads:") && !strstr(text, "\nVmSize:");
	return status->process ? 0 : -ESRCH;
}

/* Returns 0, -ESRCH where /proc does not show the thread, or -ENOBUFS when descriptors or memory
 * ran out. */
static int read_status(pid_t thread, struct status *status)
{
	const char *text;
	int failed = proc_read_status(thread, &text);

	*status = (struct status){0};
	return failed ? failed : parse_status(text, status);
}

void program_of(pid_t thread, char program[static 32])
{
	struct status status;

	read_status(thread, &status);
	strcpy(program, status.program);
}

/* --- processes that have a file open */

/* True if a process is gone, or a zombie without threads that live on, as `status` of /proc, which
 * is open as `descriptor`, has it. */
static bool status_shows_end(int descriptor)
{
	const char *text, *state;
	int failed = proc_reread_status(descriptor, &text);

	if (failed)
		return failed == -ESRCH;
	state = strstr(text, "\nState:\t");
	return state && strchr("ZX", state[8]) && number_in(text, "\nThreads:") <= 1;
}

bool process_has_ended(const struct process *process)
{
	struct pollfd ended = {.fd = process->descriptor, .events = POLLIN};

	return process->has_pidfd ? poll(&ended, 1, 0) != 0 : status_shows_end(process->descriptor);
}

/* Opens what stands for the process `id`, also if that is reused: a pidfd, or where the system has
 * none (before Linux 5.3, under the filter of a container, in valgrind) its status in /proc.
 * Returns 0, -ESRCH when it has ended, or -ENOBUFS. */
static int process_open(struct process *process, pid_t id)
{
	char path[64];

	process->id = id;
	process->descriptor = (int)syscall(SYS_pidfd_open, id, 0);
	process->has_pidfd = process->descriptor >= 0;
	if (process->has_pidfd)
		return 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)id);
	process->descriptor = open(path, O_RDONLY | O_CLOEXEC);
	return process->descriptor < 0 ? proc_error(errno) : 0;
}

unsigned processes_most(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return OUR_DESCRIPTORS;
	if (limit.rlim_cur > UINT32_MAX)
		return UINT32_MAX;
	if (limit.rlim_cur < 2 * OUR_DESCRIPTORS)
		return (unsigned)limit.rlim_cur / 2;
	return (unsigned)limit.rlim_cur - OUR_DESCRIPTORS;
}

static void process_unlist(struct fs *fs, struct process *process)
{
	if (process->listed)
		set_remove(&fs->processes, process);
	process->listed = false;
}

/* Returns 0, -ESRCH when the process has ended, or -ENOBUFS. */
static int process_new(struct fs *fs, pid_t id, struct process **made)
{
	struct process *process;
	int failed;

	if (fs->process_count >= fs->processes_most)
		return -ENOBUFS;
	process = calloc(1, sizeof *process);
	if (!process)
		return -ENOBUFS;
	failed = process_open(process, id);
	if (!failed && !set_add(&fs->processes, process))
		failed = -ENOBUFS;
	if (failed) {
		if (process->descriptor >= 0)
			close(process->descriptor);
		free(process);
		return failed;
	}
	process->listed = true;
	fs->process_count++;
	*made = process;
	return 0;
}

static int process_find(struct fs *fs, pid_t id, struct process **found)
{
	struct process *process = set_find(&fs->processes, &id);
	int failed = 0;

	if (process && process_has_ended(process)) {
		process_unlist(fs, process);
		process = NULL;
	}
	if (!process)
		failed = process_new(fs, id, &process);
	if (!failed)
		process->references++;
	*found = failed ? NULL : process;
	return failed;
}

void process_release(struct fs *fs, struct process *process)
{
	if (!process || --process->references)
		return;
	process_unlist(fs, process);
	close(process->descriptor);
	free(process);
	fs->process_count--;
	if (!TAILQ_EMPTY(&fs->open_waits))
		task_queue(fs->loop, &fs->open_waits_task);
}

int process_of_parent(struct fs *fs, const struct process *process, struct process **parent)
{
	struct status status, again;
	int failed = read_status(process->id, &status);

	*parent = NULL;
	if (failed || !status.parent)
		return failed;
	failed = process_find(fs, status.parent, parent);
	if (failed)
		return failed == -ESRCH ? 0 : failed;
	/* If the parent ended before it was opened, the child has another parent now. */
	failed = read_status(process->id, &again);
	if (!failed && again.parent == status.parent)
		return 0;
	process_release(fs, *parent);
	*parent = NULL;
	return failed;
}

int opener_identify(struct fs *fs, struct handle *handle)
{
	struct status status;
	int failed = read_status(handle->actor.pid, &status);

	if (!failed) {
		strcpy(handle->actor.program, status.program);
		failed = process_find(fs, status.process, &handle->opener.process);
	}
	return failed == -ESRCH ? 0 : failed;
}

/* --- the writer */

void writer_forget(struct fs *fs, struct handle *handle, enum writer_kind kind)
{
	struct process *process = handle->writer.process;

	handle->writer = (struct writer){.kind = kind};
	handle->owners++;
	process_release(fs, process);
}

void writer_is_parent(struct fs *fs, struct handle *handle, struct process *process)
{
	pid_t thread = handle->writer.thread;

	writer_forget(fs, handle, process ? WRITER_ONE : WRITER_MANY);
	handle->writer.process = process;
	handle->writer.thread = thread;
}

/* Returns the process that answers for the writer so far and another: one of the two if it is the
 * parent of the other, or the parent of both; 0: there is none. */
static pid_t common_writer(const struct writer *writer, const struct status *other)
{
	pid_t id = writer->process->id, parent = writer->parent;

	if (process_has_ended(writer->process))
		return 0;
	if (other->process == id || other->parent == id)
		return id;
	return other->process == parent || other->parent == parent ? parent : 0;
}

/* A second process writes. */
static int join_writers(struct fs *fs, struct handle *handle, pid_t thread,
			const struct status *status)
{
	struct writer *writer = &handle->writer;
	pid_t common = common_writer(writer, status);
	struct process *process = NULL;
	int failed = 0;

	if (common == handle->opener.process->id) {
		writer_forget(fs, handle, WRITER_OPENER);
	} else if (common && common == writer->process->id) {
		writer->thread = thread;
	} else if (common) {
		failed = process_find(fs, common, &process);
		writer->thread = thread;
		writer_is_parent(fs, handle, process);
	} else {
		writer_forget(fs, handle, WRITER_MANY);
	}
	return failed == -ESRCH ? 0 : failed;
}

int writer_note(struct fs *fs, struct handle *handle, pid_t thread)
{
	struct writer *writer = &handle->writer;
	struct status status;
	int failed;

	if (writer->kind == WRITER_OPENER || writer->kind == WRITER_MANY ||
	    (writer->kind == WRITER_ONE && writer->thread == thread))
		return 0;
	if (writer->kind == WRITER_NONE &&
	    (!handle->opener.process || thread == handle->actor.pid)) {
		writer->kind = WRITER_OPENER;
		return 0;
	}
	failed = read_status(thread, &status);
	if (!failed && status.process == handle->opener.process->id) {
		writer_forget(fs, handle,
			      writer->kind == WRITER_NONE ? WRITER_OPENER : WRITER_MANY);
	} else if (!failed && writer->kind == WRITER_ONE) {
		failed = join_writers(fs, handle, thread, &status);
	} else if (!failed) {
		failed = process_find(fs, status.process, &writer->process);
		handle->owners++;
		if (!failed)
			*writer = (struct writer){
				WRITER_ONE, writer->process, thread,
				status.parent == 1 ? 0 : status.parent}; /* init adopts orphans */
	}
	if (failed == -ESRCH)
		writer_forget(fs, handle, WRITER_MANY);
	return failed == -ESRCH ? 0 : failed;
}

void handle_take_over(struct fs *fs, struct handle *handle)
{
	struct writer *writer = &handle->writer;
	struct process *before = handle->opener.process;

	handle->opener.process = writer->process;
	handle->actor.pid = writer->thread;
	program_of(writer->process->id, handle->actor.program);
	*writer = (struct writer){.kind = WRITER_OPENER};
	handle->owners++;
	process_release(fs, before);
}

/* --- the process that closes */

/*
 * True if an exiting process was killed or exits with a status other than 0. Call it only after
 * is_ending(): reading /proc/PID/stat takes exec_update_lock and would deadlock with an exec.
 */
static int ends_badly(pid_t thread)
{
	uint64_t flags = 0, code = 0;
	char text[STAT_SIZE];
	ssize_t length = proc_read_of(thread, "stat", text, sizeof text);

	if (length == -ENOBUFS)
		return -ENOBUFS;
	return length > 0 && stat_field(text, 9, &flags) && (flags & FLAG_EXITING) &&
	       stat_field(text, 52, &code) && code != 0;
}

static bool is_process(const struct process *process, pid_t id)
{
	return process && process->id == id && !process_has_ended(process);
}

enum flush_origin handle_flush_origin(const struct handle *handle, pid_t thread)
{
	bool opens, writes;
	struct status status;
	int failed, badly;

	if (!handle->opener.process)
		return FLUSH_UNKNOWN;
	failed = read_status(thread, &status);
	if (failed)
		return failed == -ESRCH ? FLUSH_UNKNOWN : FLUSH_UNSEEN;
	opens = is_process(handle->opener.process, status.process);
	writes = !opens && is_process(handle->writer.process, status.process);
	if (!opens && !writes)
		return FLUSH_BY_OTHER;
	badly = status.ending ? ends_badly(thread) : 0;
	if (badly < 0)
		return FLUSH_UNSEEN;
	if (opens)
		return badly ? FLUSH_BY_DYING_OPENER : FLUSH_BY_OPENER;
	return badly ? FLUSH_BY_DYING_WRITER : FLUSH_BY_WRITER;
}
