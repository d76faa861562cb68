/* Mounts, and starts the helper process that unmounts at the end. */
#define FUSE_USE_VERSION 314
#include "mounting.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon.h"
#include "sstorefs/descriptor.h"
#include "sstorefs/log.h"

/* --- the helper */

#define PLACE	      'p'
#define UNMOUNT	      'u'
#define HELPER_SOCKET (STDERR_FILENO + 1) /* its end; all other descriptors are closed */

/* Replaces the command line that ps(1) shows. */
static void take_name(const char *mountpoint, int argc, char **argv)
{
	size_t room = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]) + 1;

	memset(argv[0], 0, room);
	snprintf(argv[0], room, "sstorefs-umount: %s", mountpoint);
	prctl(PR_SET_NAME, "sstorefs-umount");
}

/* Closes all descriptors but the socket: nothing of the terminal, nor of a process that waits for
 * our end, stays open. */
static int keep_only(int socket)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -errno;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	/* Of the two numbers that are taken now the higher one is free afterwards. */
	if (socket != HELPER_SOCKET && dup3(socket, HELPER_SOCKET, O_CLOEXEC) < 0)
		return -errno;
	return close_range(HELPER_SOCKET + 1, ~0u, 0) ? -errno : 0;
}

/* Runs fusermount3, which is setuid and lets the mounter unmount. Returns 0 or -errno. */
static int run_fusermount(const char *mountpoint)
{
	pid_t child = fork();

	if (child == 0) {
		execl("/usr/bin/fusermount3", "fusermount3", "-u", "-q", "-z", "--", mountpoint,
		      NULL);
		execlp("fusermount3", "fusermount3", "-u", "-q", "-z", "--", mountpoint, NULL);
		_exit(ENOENT);
	}
	return child_wait(child);
}

/* Waits for the daemon's message, and unmounts. Where the daemon ends without one the mount stays,
 * and refuses everything. */
static void serve_as_helper(const char *mountpoint)
{
	struct mount_place below = PLACE_NONE;
	char word[2] = "";
	int failed;
	sigset_t all;

	/* A terminal or a service manager that ends all of us would end it too early: it goes when
	 * the daemon has gone. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setsid();
	if (chdir("/"))
		_exit(1);
	if (privileges_keep_unmounting() || descriptor_send(HELPER_SOCKET, "+", -1))
		_exit(1);
	/* The place comes once, before the daemon has read anything from the service: no other can
	 * be chosen later. */
	below.directory = descriptor_receive(HELPER_SOCKET, word, sizeof word);
	if (word[0] != PLACE)
		_exit(0);
	descriptor_receive(HELPER_SOCKET, word, sizeof word);
	if (word[0] != UNMOUNT)
		_exit(0);
	failed = below.directory >= 0 ? place_unmount(&below) : run_fusermount(mountpoint);
	_exit(descriptor_send(HELPER_SOCKET, failed ? "-" : "+", -1) ? 1 : 0);
}

int mounting_begin(struct mounting *mounting, const struct config *config, int argc, char **argv)
{
	char word[2] = "";
	int ends[2];
	pid_t child;

	*mounting = (struct mounting){.config = config, .helper = -1};
	if (config->mount_fd >= 0 || config->user)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	child = fork();
	if (child == 0) {
		token_wipe_environment(config);
		if (keep_only(ends[1]))
			_exit(1);
		take_name(config->mountpoint, argc, argv);
		serve_as_helper(config->mountpoint);
	}
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		return -EAGAIN;
	}
	mounting->helper = ends[0];
	descriptor_receive(mounting->helper, word,
			   sizeof word); /* it has given away what it does not need */
	return word[0] == '+' ? 0 : -ECHILD;
}

/* --- the mount */

/* Unmounts a mount of sstorefs whose daemon has died. Returns 0 or -errno. */
static int clear_dead_mount(const struct config *config, struct mount_place *place)
{
	int failed = 0;

	if (!config->dead_mount)
		return 0;
	if (geteuid() != 0)
		failed = run_fusermount(config->mountpoint);
	else
		failed = place_unmount(place);
	return failed ? failed : place_look_again(place);
}

/* Mounts by fusermount3, and appends what it and libfuse print on stderr to `why`, as one line. */
static int mount_by_fusermount(const struct config *config, struct buffer *why)
{
	int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0), fd;
	int caught = memfd_create("sstorefs-stderr", MFD_CLOEXEC);
	char text[512];
	ssize_t length;

	fflush(stderr);
	if (kept >= 0 && caught >= 0)
		dup2(caught, STDERR_FILENO);
	fd = fuse_open_channel(config->mountpoint, buffer_cstr(&config->mount_options));
	fflush(stderr);
	length = caught < 0 ? 0 : pread(caught, text, sizeof text, 0);
	while (length > 0 && text[length - 1] == '\n')
		length--;
	for (ssize_t i = 0; i < length; i++)
		buffer_append(why, text[i] == '\n' ? "; " : text + i, text[i] == '\n' ? 2 : 1);
	if (kept >= 0) {
		dup2(kept, STDERR_FILENO);
		close(kept);
	}
	if (caught >= 0)
		close(caught);
	return fd;
}

/*
 * Mounts by mount(2) as root, else by fusermount3, which checks the path and explains failures by
 * itself; not at all at /dev/fd/N. The kernel is not told of `ro`: what it refuses by itself could
 * not be explained in `errors`, and `refresh` could not be written. Returns the descriptor or
 * -errno.
 */
static int open_channel(const struct config *config, const struct mount_place *place,
			struct buffer *why)
{
	const struct place_mount mount = {.source = config->source,
					  .uid = getuid(),
					  .gid = getgid(),
					  .allow_other = config->allow_other,
					  .default_permissions = config->default_permissions};
	const char *what = NULL;
	int fd;

	if (config->mount_fd >= 0)
		return config->mount_fd;
	if (geteuid() == 0) {
		fd = place_mount(place, &mount, &what);
		if (fd < 0)
			buffer_printf(why, "%s: %s", what, strerror(-fd));
		return fd;
	}
	fd = mount_by_fusermount(config, why);
	if (fd < 0)
		return -EPERM;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (why->length)
		log_line(LOG_WARNING, "%s", buffer_cstr(why));
	return fd;
}

static void warn_of_open_place(const char *mountpoint)
{
	struct buffer line = {0};

	place_explain_open(&line, mountpoint);
	log_line(LOG_WARNING, "%s", buffer_cstr(&line));
	buffer_finish(&line);
}

int mounting_mount(const struct mounting *mounting, struct mount_place *place, struct buffer *why)
{
	const struct config *config = mounting->config;
	int failed = clear_dead_mount(config, place);

	if (failed) {
		buffer_printf(why, "the dead mount there can't be removed: %s", strerror(-failed));
		return failed;
	}
	/* A user who mounts by fusermount3 must be able to write there. */
	place->open_to_root =
		config->mount_fd < 0 && geteuid() == 0 && place_is_open_to_root(place);
	failed = open_channel(config, place, why);
	if (failed >= 0 && place->open_to_root)
		warn_of_open_place(config->mountpoint);
	if (failed >= 0 && mounting->helper >= 0)
		descriptor_send(mounting->helper, (const char[]){PLACE, '\0'},
				geteuid() == 0 ? place->directory : -1);
	return failed;
}

void mounting_unmount(struct mounting *mounting)
{
	const struct config *config = mounting->config;
	char answer[2] = "";
	int failed = 0;

	if (config->mount_fd >= 0)
		return;
	if (mounting->helper >= 0) {
		failed = descriptor_send(mounting->helper, (const char[]){UNMOUNT, '\0'}, -1);
		if (!failed)
			descriptor_receive(mounting->helper, answer, sizeof answer);
		if (answer[0] != '+')
			failed = -EPERM;
	} else if (geteuid() == 0) { /* with user=, before it became another one */
		failed = place_unmount(&config->place);
	} else {
		log_line(LOG_NOTICE, "%s answers ENOTCONN until root unmounts it",
			 config->mountpoint);
	}
	if (failed)
		log_line(
			LOG_WARNING,
			"%s could not be unmounted: see whether fusermount3 and /etc/mtab are there, and unmount it",
			config->mountpoint);
}

void mounting_finish(struct mounting *mounting)
{
	if (mounting->helper >= 0)
		close(mounting->helper);
	mounting->helper = -1;
}
