/*
 * Runs a command and kills all of its process group with SIGKILL as soon as one of its processes
 * has written to a file below a directory: after the write, before whatever would have come next.
 *
 *     kill_after_write DIRECTORY COMMAND [ARGUMENT…]
 *
 * Ends with status 137 when it killed, else with the command's own. The command is the leader of a
 * process group of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS                                                                                    \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |  \
	 PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)
#define THREADS_MAX 32768

static uint64_t
	descriptors[THREADS_MAX]; /* by thread: what it writes to, plus 1; 0: it does not write */

/* The index of the written descriptor among the arguments; -1: it is no write. */
static int written_argument(uint64_t call)
{
	static const struct {
		uint64_t call;
		int argument;
	} writes[] = {
		{SYS_write, 0},	   {SYS_pwrite64, 0}, {SYS_writev, 0}, {SYS_pwritev, 0},
		{SYS_pwritev2, 0}, {SYS_sendfile, 0}, {SYS_splice, 2}, {SYS_copy_file_range, 2},
	};

	for (size_t i = 0; i < sizeof writes / sizeof *writes; i++)
		if (writes[i].call == call)
			return writes[i].argument;
	return -1;
}

static bool is_below(pid_t thread, uint64_t descriptor, const char *directory)
{
	char link[64], path[4096];
	ssize_t length;

	snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)thread, (int)descriptor);
	length = readlink(link, path, sizeof path - 1);
	if (length < 0)
		return false;
	path[length] = '\0';
	return !strncmp(path, directory, strlen(directory)) && path[strlen(directory)] == '/';
}

/* Whether the thread has just written below the directory. */
static bool has_written(pid_t thread, const char *directory)
{
	struct __ptrace_syscall_info info;
	uint64_t *descriptor = &descriptors[thread % THREADS_MAX];
	int argument;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0)
		return false;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		argument = written_argument(info.entry.nr);
		*descriptor = argument < 0 ? 0 : info.entry.args[argument] + 1;
		return false;
	}
	return info.op == PTRACE_SYSCALL_INFO_EXIT && *descriptor && info.exit.rval > 0 &&
	       is_below(thread, *descriptor - 1, directory);
}

static void be_traced(char **command)
{
	setpgid(0, 0);
	raise(SIGSTOP);
	execvp(command[0], command);
	perror(command[0]);
	_exit(127);
}

/* Lets a stopped thread go on; a signal that is the thread's own is handed to it. */
static void go_on(pid_t thread, int status)
{
	int number = WSTOPSIG(status), event = status >> 16;
	bool stops =
		number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;

	if (event == PTRACE_EVENT_STOP || event || number == (SIGTRAP | 0x80) || stops)
		number = 0;
	ptrace(PTRACE_SYSCALL, thread, 0, number);
}

int main(int count, char **words)
{
	int status, result = 0;
	pid_t leader, thread;

	if (count < 3)
		return 2;
	leader = fork();
	if (leader == 0)
		be_traced(words + 2);
	waitpid(leader, &status, WUNTRACED);
	if (ptrace(PTRACE_SEIZE, leader, 0, OPTIONS)) {
		perror("ptrace");
		kill(leader, SIGKILL);
		return 2;
	}
	kill(leader, SIGCONT);
	while ((thread = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (thread <= 0)
			continue;
		if (thread == leader && WIFEXITED(status))
			result = WEXITSTATUS(status);
		else if (thread == leader && WIFSIGNALED(status))
			result = 128 + WTERMSIG(status);
		if (!WIFSTOPPED(status))
			continue;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) && has_written(thread, words[1]))
			kill(-leader, SIGKILL);
		else
			go_on(thread, status);
	}
	return result;
}
