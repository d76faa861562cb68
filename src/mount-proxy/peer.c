/* Identifies the process that asks for a mount, and decides whether it may have it. */
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sstorefs/clock.h"
#include "sstorefs/proc.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

#define MINUTE 60000
#define SLICE                                                                                      \
	"/system.slice/" /* units of root's manager, below which no other user makes cgroups */

/* --- processes */

bool peer_has_ended(const struct peer *peer)
{
	struct pollfd ended = {.fd = peer->process, .events = POLLIN};

	return peer->process < 0 || poll(&ended, 1, 0) != 0;
}

void peer_release(struct peer *peer)
{
	if (peer->process >= 0)
		close(peer->process);
	peer->process = -1;
}

/* Returns a pidfd of the process at the other end, or -1. Before Linux 6.5 the number could have
 * become another process's meanwhile: the files read below are those of the process of the pidfd,
 * if that lives afterwards. */
static int pidfd_of(int connection, pid_t pid)
{
	socklen_t size = sizeof(int);
	int process;

	if (!getsockopt(connection, SOL_SOCKET, SO_PEERPIDFD, &process, &size))
		return process;
	return errno == ENOPROTOOPT ? pidfd_open(pid, 0) : -1;
}

/* True if `process` has the process numbers that we see: of one in a namespace below ours /proc
 * tells two. Processes of other namespaces have 0. */
static bool shares_pids(pid_t process)
{
	int first, second;
	const char *status, *numbers;

	if (process <= 0 || proc_read_status(process, &status))
		return false;
	numbers = strstr(status, "\nNSpid:");
	return numbers && sscanf(numbers, "\nNSpid: %d%*[\t]%d", &first, &second) == 1;
}

/* --- units */

/* Returns the path in the line of /proc/PID/cgroup that begins with a number and `controllers`,
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

/* Returns the cgroup by which the service manager knows a process: of version 2, or of its own
 * hierarchy where both are in use. The caller frees it; NULL: it is not known. */
static char *cgroup_of(pid_t pid, const char *controllers)
{
	char text[4096], *path;

	if (proc_read_of(pid, "cgroup", text, sizeof text) < 0)
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
		char *ours = cgroup_of(getpid(), hierarchies[i]),
		     *path = cgroup_of(pid, hierarchies[i]);

		is = ours && path && is_of_unit(path, ours, unit);
		free(ours);
		free(path);
	}
	return is;
}

/* --- the process at the other end */

const char *peer_identify(struct peer *peer, const struct mount_spec *spec, int connection)
{
	struct ucred credentials = {0};
	socklen_t size = sizeof credentials;

	*peer = (struct peer){.process = -1};
	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size))
		return "the process that asks can't be identified";
	peer->uid = credentials.uid;
	peer->gid = credentials.gid;
	peer->pid = credentials.pid;
	if (!spec->any_user && peer->uid != spec->uid)
		return "this socket is for another user";
	if (peer->pid > 0)
		peer->process = pidfd_of(connection, peer->pid);
	if (!shares_pids(peer->pid))
		return "this container has process numbers of its own, by which writers can't be told: let it share them "
		       "(shareProcessNamespace: true, podman pod create --share pid)";
	if (spec->unit && !is_in_unit(peer->pid, spec->unit))
		return "this socket is for the processes of another unit";
	return peer_has_ended(peer) ? "the process that asked has ended" : NULL;
}

/* --- the log of rejections */

static struct {
	uint64_t logged_at; /* CLOCK_BOOTTIME, milliseconds; 0: never */
	unsigned more;	    /* counted since then */
	const char *why;    /* of the last one counted */
	struct peer last;
} rejections;

static void write_rejection(const char *why, const struct peer *peer)
{
	fprintf(stderr, "sstorefs-mount-proxy: ");
	if (rejections.more)
		fprintf(stderr,
			"%u more were refused within a minute, the last: ", rejections.more);
	fprintf(stderr, "uid=%u gid=%u pid=%d asked for the mount and was refused: %s\n", peer->uid,
		peer->gid, (int)peer->pid, why);
	rejections.logged_at = clock_boottime();
	rejections.more = 0;
}

void log_rejection(const char *why, const struct peer *peer)
{
	if (!rejections.logged_at ||
	    (!rejections.more && clock_boottime() - rejections.logged_at >= MINUTE)) {
		write_rejection(why, peer);
		return;
	}
	rejections.more++;
	rejections.why = why;
	rejections.last = *peer;
}

int rejections_delay(void)
{
	uint64_t passed = clock_boottime() - rejections.logged_at;

	if (!rejections.more)
		return -1;
	return passed < MINUTE ? (int)(MINUTE - passed) : 0;
}

void log_rejections(void)
{
	if (rejections.more)
		write_rejection(rejections.why, &rejections.last);
}
