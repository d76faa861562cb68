/* Passes the descriptor of a mount to the process that serves it, through a socket. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount_proxy.h"
#include "peer.h"
#include "sstorefs/clock.h"
#include "sstorefs/descriptor.h"
#include "sstorefs/hardening.h"

/* --- the side that mounts */

/* The process that has the mount: no other process gets it while that one lives. */
static struct peer served = {.process = -1};

static const char *identify(struct peer *peer, const struct mount_spec *spec, int connection)
{
	const char *why = peer_identify(peer, spec, connection);

	if (!why && !peer_has_ended(&served))
		why = "this socket has given its mount to a process that still runs";
	return why;
}

/* Replies to one client: '+' and the mountpoint, with the descriptor; or why there is none, which
 * the client prints. */
static void serve_client(struct mount_spec *spec, int connection)
{
	struct peer peer;
	const char *why = identify(&peer, spec, connection);
	char reply[PATH_MAX + 2];
	int fd = -1;

	if (why) {
		log_rejection(why, &peer);
		goto refuse;
	}
	if (spec->any_user) {
		spec->uid = peer.uid;
		spec->gid = peer.gid;
	}
	fd = mount_fuse(spec);
	why = "it can't be mounted: the mount proxy's log says why";
	if (fd < 0)
		goto refuse;
	if (process_empty_cores(peer.pid))
		usage_error(
			errno,
			"/proc/%d/coredump_filter can't be written: a core that root takes of the daemon would hold its token",
			(int)peer.pid);
	snprintf(reply, sizeof reply, "+%s", spec->mountpoint);
	if (descriptor_send(connection, reply, fd)) {
		usage_error(errno, "the process that asked for the mount has ended");
		peer_release(&peer);
	} else {
		fprintf(stderr, "sstorefs-mount-proxy: %s is mounted on %s for process %d\n",
			spec->source, spec->mountpoint, (int)peer.pid);
		peer_release(&served);
		served = peer;
	}
	close(fd); /* held here, it would keep a dead daemon's mount waiting */
	return;
refuse:
	descriptor_send(connection, why, -1);
	peer_release(&peer);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address;
	socklen_t length = unix_address(&address, path);
	int fd, failed;

	if (!length)
		return usage_error(ENAMETOOLONG, "'%s' can't be the path of a socket", path);
	if (path[0] != '@' && unlink(path) && errno != ENOENT)
		return usage_error(errno, "%s is in the way", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	umask(0); /* a client is identified by its credentials */
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, length) || listen(fd, 8)) {
		failed = usage_error(errno, "there can be no socket at %s", path);
		if (fd >= 0)
			close(fd);
		return failed;
	}
	return fd;
}

/* Returns a descriptor that can be read once the process is to end, or a negative errno after one
 * line on stderr. */
static int watch_end(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	/* Blocked without a descriptor, the signals would never end it. */
	if (fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL))
		return usage_error(errno, "signals can't be waited for");
	return fd;
}

int fd_serve(struct mount_spec *spec, const char *path)
{
	struct pollfd watched[2] = {{.events = POLLIN}, {.events = POLLIN}};
	int failed = 0;

	watched[0].fd = watch_end();
	if (watched[0].fd < 0)
		return watched[0].fd;
	watched[1].fd = listen_at(path);
	if (watched[1].fd < 0)
		return watched[1].fd;
	while (!(watched[0].revents & POLLIN)) {
		int ready = poll(watched, 2, rejections_delay());

		if (ready < 0 && errno != EINTR) {
			failed = usage_error(errno, "waiting failed");
			break;
		}
		if (ready == 0)
			log_rejections();
		if (watched[1].revents & POLLIN) {
			int connection = accept4(watched[1].fd, NULL, NULL, SOCK_CLOEXEC);

			if (connection >= 0) {
				serve_client(spec, connection);
				close(connection);
			}
		}
	}
	log_rejections();
	peer_release(&served);
	close(watched[1].fd);
	if (path[0] != '@')
		unlink(path);
	return failed ? failed : unmount_ours(spec->mountpoint);
}

/* --- the side that serves */

/* Connects as soon as the socket is there: containers of a pod start in any order. Changes in the
 * socket's directory wake it. Returns 0 or -errno. */
static int connect_when_there(int fd, const char *path, unsigned seconds)
{
	uint64_t now = clock_boottime(), deadline = now + seconds * UINT64_C(1000);
	struct pollfd watched = {.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .events = POLLIN};
	const char *slash = strrchr(path, '/');
	char directory[sizeof((struct sockaddr_un){0}).sun_path] = ".", events[4096];
	struct sockaddr_un address;
	socklen_t length = unix_address(&address, path);
	int failed = length ? 0 : -ENAMETOOLONG;

	if (slash)
		snprintf(directory, sizeof directory, "%.*s",
			 slash == path ? 1 : (int)(slash - path), path);
	inotify_add_watch(watched.fd, directory, IN_CREATE | IN_ATTRIB | IN_MOVED_TO);
	while (!failed && connect(fd, (const struct sockaddr *)&address, length)) {
		failed = -errno;
		now = clock_boottime();
		if ((failed != -ENOENT && failed != -ECONNREFUSED && failed != -EACCES) ||
		    now >= deadline)
			break;
		failed = 0;
		/* Waits for a second at most: a socket that is bound and does not listen yet causes
		 * no event when it does. */
		poll(&watched, 1, deadline - now < 1000 ? (int)(deadline - now) : 1000);
		while (read(watched.fd, events, sizeof events) > 0)
			;
	}
	if (watched.fd >= 0)
		close(watched.fd);
	return failed;
}

static int connect_by(int type, const char *path, unsigned seconds)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int failed = fd < 0 ? -errno : connect_when_there(fd, path, seconds);

	if (failed && fd >= 0)
		close(fd);
	return failed ? failed : fd;
}

int fd_request(const char *path, unsigned seconds)
{
	int from = connect_by(SOCK_SEQPACKET, path, seconds), fd;
	bool foreign = from == -EPROTOTYPE;
	char reply[PATH_MAX + 2] = "";

	/* A CSI plugin that passes the descriptor listens at a stream, once, and sends a text of
	 * its own. */
	if (foreign)
		from = connect_by(SOCK_STREAM, path, seconds);
	if (from < 0)
		return usage_error(-from, "there is no mount proxy at %s", path);
	fd = descriptor_receive(from, reply, sizeof reply);
	close(from);
	/* A CSI plugin has mounted in its own PID namespace. */
	if (fd >= 0 && foreign)
		setenv("SSTOREFS_FOREIGN_PIDS", "1", 1);
	if (fd >= 0 && !foreign && reply[0] == '+' && reply[1])
		setenv("SSTOREFS_MOUNTPOINT", reply + 1, 1);
	if (fd >= 0)
		return fd;
	return usage_error(EPROTO, "the mount proxy at %s gave no descriptor: %s", path,
			   *reply ? reply : "it is gone");
}
