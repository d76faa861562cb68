/* Identifies the process that asks for a mount, and decides whether it may have it. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

#define MINUTE 60000
#define SLICE                                                                                      \
	"/system.slice/" /* units of root's manager, below which no other user makes cgroups */

/* --- processes
 * ------------------------------------------------------------------------------------------------------------------
 */

bool asker_has_ended(const struct asker *asker)
{
	struct pollfd ended = {.fd = asker->process, .events = POLLIN};

	return asker->process < 0 || poll(&ended, 1, 0) != 0;
}

void asker_forget(struct asker *asker)
{
	if (asker->process >= 0)
		close(asker->process);
	asker->process = -1;
}

void asker_empty_cores(const struct asker *asker)
{
	char path[64];
	int filter;

	snprintf(path, sizeof path, "/proc/%d/coredump_filter", (int)asker->pid);
	filter = open(path, O_WRONLY | O_CLOEXEC);
	if (filter < 0 || write(filter, "0", 1) != 1)
		usage_error(errno,
			    "%s can't be written: a core that root takes of the daemon would hold "
			    "its token",
			    path);
	if (filter >= 0)
		close(filter);
}

/* Before Linux 6.5 the number could have become another process's meanwhile: what is looked at
 * below is that of the process which the pidfd stands for, if that lives afterwards. */
static int pidfd_of(int peer, pid_t pid)
{
	socklen_t size = sizeof(int);
	int process;

	if (!getsockopt(peer, SOL_SOCKET, SO_PEERPIDFD, &process, &size))
		return process;
	return errno == ENOPROTOOPT ? pidfd_open(pid, 0) : -1;
}

static bool read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t length = -1;
	int fd;

	if (pid)
		snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	else
		snprintf(path, sizeof path, "/proc/self/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, text, size - 1);
		close(fd);
	}
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

/* True if `process` has the process numbers that we see: of one in a namespace below ours /proc
 * tells two. Processes of other namespaces have 0. */
static bool shares_pids(pid_t process)
{
	char status[4096];
	int first, second;
	const char *numbers;

	if (process <= 0 || !read_proc(process, "status", status, sizeof status))
		return false;
	numbers = strstr(status, "\nNSpid:");
	return numbers && sscanf(numbers, "\nNSpid: %d%*[\t]%d", &first, &second) == 1;
}

/* --- units
 * ----------------------------------------------------------------------------------------------------------------------
 */

/* The path in the line of /proc/PID/cgroup that begins with a number and `controllers`, which is
 * NUL-terminated in place; NULL: there is none. */
static char *path_of(char *text, const char *controllers)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		char *name = strchr(line, ':'), *path = name ? strchr(name + 1, ':') : NULL;

		if (path && strncmp(name, controllers, strlen(controllers)) == 0)
			return path + 1;
	}
	return NULL;
}

/* The cgroup by which the service manager knows a process: of version 2, or of its own hierarchy
 * where both are in use. */
static char *cgroup_of(pid_t pid, const char *controllers)
{
	char text[4096], *path;

	if (!read_proc(pid, "cgroup", text, sizeof text))
		return NULL;
	path = path_of(text, controllers);
	return path ? strdup(path) : NULL;
}

/* True if `path` is `unit` in a slice of the system's, below the same root as `ours`. */
static bool is_of_unit(const char *path, const char *ours, const char *unit)
{
	const char *root_end = strstr(ours, SLICE), *name = strrchr(path, '/');
	size_t root = root_end ? (size_t)(root_end - ours) + strlen(SLICE) : 0;
	const char *slice;

	if (!root || strncmp(path, ours, root) != 0 || !name || strcmp(name + 1, unit) != 0)
		return false;
	/* Between them is one slice, or nothing: a service that may make cgroups of its own could
	 * call one so. */
	slice = path + root;
	return slice == name + 1 || (!memchr(slice, '/', (size_t)(name - slice)) &&
				     name - slice > 6 && !strncmp(name - 6, ".slice", 6));
}

static bool is_in_unit(pid_t pid, const char *unit)
{
	static const char *const hierarchies[] = {"::", ":name=systemd:"};
	bool is = false;

	for (size_t i = 0; i < sizeof hierarchies / sizeof *hierarchies && !is; i++) {
		char *ours = cgroup_of(0, hierarchies[i]), *path = cgroup_of(pid, hierarchies[i]);

		is = ours && path && is_of_unit(path, ours, unit);
		free(ours);
		free(path);
	}
	return is;
}

/* --- looking
 * --------------------------------------------------------------------------------------------------------------------
 */

const char *asker_look(struct asker *asker, const struct mount_spec *spec, int peer)
{
	struct ucred credentials = {0};
	socklen_t size = sizeof credentials;

	*asker = (struct asker){.process = -1};
	if (getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &credentials, &size))
		return "who asks can't be told";
	asker->uid = credentials.uid;
	asker->gid = credentials.gid;
	asker->pid = credentials.pid;
	if (!spec->any_user && asker->uid != spec->uid)
		return "this socket is for another user";
	if (asker->pid > 0)
		asker->process = pidfd_of(peer, asker->pid);
	if (!shares_pids(asker->pid))
		return "this container has process numbers of its own, by which writers can't be told: let it share them "
		       "(shareProcessNamespace: true, podman pod create --share pid)";
	if (spec->unit && !is_in_unit(asker->pid, spec->unit))
		return "this socket is for the processes of another unit";
	return asker_has_ended(asker) ? "who asked has ended" : NULL;
}

/* --- refusals
 * -------------------------------------------------------------------------------------------------------------------
 */

static struct {
	int64_t said_at; /* milliseconds; 0: never */
	unsigned more;
	const char *why; /* of the last that was counted */
	struct asker last;
} refusals;

static void say(const char *why, const struct asker *asker, unsigned more)
{
	char count[64] = "";

	if (more)
		snprintf(count, sizeof count,
			 "%u more were refused within a minute, the last: ", more);
	fprintf(stderr,
		"sstorefs-mount-proxy: %suid=%u gid=%u pid=%d asked for the mount and was refused: %s\n",
		count, asker->uid, asker->gid, (int)asker->pid, why);
	refusals.said_at = milliseconds();
	refusals.more = 0;
}

void refusal_say(const char *why, const struct asker *asker)
{
	if (!refusals.said_at || (!refusals.more && milliseconds() - refusals.said_at >= MINUTE)) {
		say(why, asker, 0);
		return;
	}
	refusals.more++;
	refusals.why = why;
	refusals.last = *asker;
}

int refusal_due(void)
{
	int64_t left = refusals.said_at + MINUTE - milliseconds();

	if (!refusals.more)
		return -1;
	return left > 0 ? (int)left : 0;
}

void refusal_tell(void)
{
	if (refusals.more)
		say(refusals.why, &refusals.last, refusals.more);
}
