/* Passes the descriptor of a mount from the mounting process to the serving one, through a socket.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "mount_proxy.h"
#include "peer.h"
#include "sstorefs/descriptor.h"

int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int address_of(const char *path, struct sockaddr_un *address, socklen_t *length)
{
	size_t size = strlen(path);

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (size == 0 || size >= sizeof address->sun_path)
		return usage_error(ENAMETOOLONG, "'%s' can't be the path of a socket", path);
	memcpy(address->sun_path, path, size);
	*length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
	if (path[0] == '@') { /* an abstract name */
		address->sun_path[0] = '\0';
		*length -= 1;
	}
	return 0;
}

/* --- the side that mounts
 * ---------------------------------------------------------------------------------------- */

/* The process that has the mount: no other gets it while that one lives. */
static struct asker served = {.process = -1};

static const char *look(struct asker *asker, const struct mount_spec *spec, int peer)
{
	const char *why = asker_look(asker, spec, peer);

	if (!why && !asker_has_ended(&served))
		why = "this socket has given its mount to a process that still runs";
	return why;
}

/* The first byte of an answer is '+', and the descriptor comes with it; else the answer is what the
 * asker is to say. */
static void serve_client(struct mount_spec *spec, int peer)
{
	struct asker asker;
	const char *why = look(&asker, spec, peer);
	int fd;

	if (why) {
		descriptor_send(peer, why, -1);
		refusal_say(why, &asker);
		asker_forget(&asker);
		return;
	}
	if (spec->any_user) {
		spec->uid = asker.uid;
		spec->gid = asker.gid;
	}
	fd = mount_fuse(spec);
	if (fd < 0) {
		descriptor_send(peer, "it can't be mounted: the mount proxy's log says why", -1);
		asker_forget(&asker);
		return;
	}
	asker_empty_cores(&asker);
	if (descriptor_send(peer, "+", fd)) {
		usage_error(errno, "who asked for the mount is gone");
		asker_forget(&asker);
	} else {
		fprintf(stderr, "sstorefs-mount-proxy: %s is mounted on %s for process %d\n",
			spec->source, spec->mountpoint, (int)asker.pid);
		asker_forget(&served);
		served = asker;
	}
	close(fd); /* what we hold would keep a dead daemon's mount waiting */
}

static int listen_at(const char *path)
{
	struct sockaddr_un address;
	socklen_t length;
	int fd, failed = address_of(path, &address, &length);

	if (failed)
		return failed;
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

static int watch_end(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int fd_serve(struct mount_spec *spec, const char *path)
{
	struct pollfd watched[2] = {{.events = POLLIN}, {.events = POLLIN}};
	int failed = 0;

	watched[0].fd = watch_end();
	watched[1].fd = listen_at(path);
	if (watched[1].fd < 0)
		return watched[1].fd;
	while (!(watched[0].revents & POLLIN)) {
		int ready = poll(watched, 2, refusal_due());

		if (ready < 0 && errno != EINTR) {
			failed = usage_error(errno, "waiting failed");
			break;
		}
		if (ready == 0)
			refusal_tell();
		if (watched[1].revents & POLLIN) {
			int peer = accept4(watched[1].fd, NULL, NULL, SOCK_CLOEXEC);

			if (peer >= 0) {
				serve_client(spec, peer);
				close(peer);
			}
		}
	}
	refusal_tell();
	asker_forget(&served);
	close(watched[1].fd);
	if (path[0] != '@')
		unlink(path);
	return failed ? failed : unmount_ours(spec->mountpoint);
}

/* --- the side that serves
 * ---------------------------------------------------------------------------------------- */

/* Connects as soon as the socket is there: containers of a pod start in any order. Changes in the
 * socket's directory wake it. */
static int connect_when_there(int fd, const char *path, unsigned seconds)
{
	int64_t deadline = milliseconds() + (int64_t)seconds * 1000;
	struct pollfd watched = {.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .events = POLLIN};
	const char *slash = strrchr(path, '/');
	char directory[sizeof((struct sockaddr_un){0}).sun_path] = ".", events[4096];
	struct sockaddr_un address;
	socklen_t length;
	int failed = address_of(path, &address, &length);

	if (failed)
		goto out;
	if (slash)
		snprintf(directory, sizeof directory, "%.*s",
			 slash == path ? 1 : (int)(slash - path), path);
	inotify_add_watch(watched.fd, directory, IN_CREATE | IN_ATTRIB | IN_MOVED_TO);
	while (connect(fd, (const struct sockaddr *)&address, length)) {
		int64_t left = deadline - milliseconds();

		failed = -errno;
		if ((failed != -ENOENT && failed != -ECONNREFUSED && failed != -EACCES) ||
		    left <= 0)
			goto out;
		/* No longer than a second at a time: a socket that is bound, and not yet listened
		 * at, causes no event later. */
		poll(&watched, 1, left < 1000 ? (int)left : 1000);
		while (read(watched.fd, events, sizeof events) > 0)
			;
	}
	failed = 0;
out:
	if (watched.fd >= 0)
		close(watched.fd);
	return failed;
}

int fd_request(const char *path, unsigned seconds)
{
	int from = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), fd, failed;
	char reply[512] = "";

	if (from < 0)
		return usage_error(errno, "there can be no socket");
	failed = connect_when_there(from, path, seconds);
	if (failed) {
		close(from);
		return usage_error(-failed, "there is no mount proxy at %s", path);
	}
	fd = descriptor_receive(from, reply, sizeof reply);
	close(from);
	if (fd >= 0)
		return fd;
	return usage_error(EPROTO, "the mount proxy at %s gave no descriptor: %s", path,
			   *reply ? reply : "it is gone");
}
