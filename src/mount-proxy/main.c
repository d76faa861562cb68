/*
 * sstorefs-mount-proxy: what of a mount takes root, in a program of its own, so that the daemon needs none.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount_proxy.h"
#include "sstorefs/buffer.h"
#include "sstorefs/hardening.h"

enum { STATUS_USAGE = 1, STATUS_FAILED = 32 };

#define DESCRIPTOR 3
#define PATIENCE   30 /* seconds for the mount proxy to come */

static const char usage[] =
	"usage: sstorefs-mount-proxy MOUNTPOINT -u USER | --unit UNIT [-o OPTIONS] --listen SOCKET\n"
	"       sstorefs-mount-proxy --request SOCKET -- COMMAND [ARGUMENT…]\n"
	"       sstorefs-mount-proxy --unmount MOUNTPOINT\n"
	"\n"
	"Mounts /dev/fuse, which takes root, and gives the descriptor to a daemon of USER, who needs no privilege.\n"
	"\n"
	"  -u USER          who the daemon runs as: a name, UID, or UID:GID\n"
	"  --unit UNIT      the daemon is a process of this unit of systemd's, whoever it runs as\n"
	"  -o OPTIONS       allow_other, ro, source=SOURCE (as findmnt shows it), with commas between them\n"
	"  --listen SOCKET   give a new mount to one process at a time that asks at SOCKET; unmount when terminated\n"
	"  --request SOCKET     ask there, and run COMMAND with it as /dev/fd/3\n"
	"  --unmount          unmount, whatever its daemon does\n";

struct wish {
	struct opening opening;
	const char *user, *serve, *ask, *close;
	char **command;
};

int complain(int error, const char *format, ...)
{
	struct buffer line = {0};
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	buffer_printable(&line, text ? text : "out of memory", "");
	fprintf(stderr, "sstorefs-mount-proxy: %s: %s\n", buffer_text(&line), strerror(error));
	buffer_finish(&line);
	free(text);
	return -error;
}

static int options_read(struct opening *opening, char *text)
{
	enum { ALLOW_OTHER, DEFAULT_PERMISSIONS, READ_ONLY, SOURCE };
	char *const names[] = {[ALLOW_OTHER] = (char[]){"allow_other"},
			       [DEFAULT_PERMISSIONS] = (char[]){"default_permissions"},
			       [READ_ONLY] = (char[]){"ro"},
			       [SOURCE] = (char[]){"source"},
			       NULL};
	char *value;

	while (*text)
		switch (getsubopt(&text, names, &value)) {
		case ALLOW_OTHER:
			opening->allow_other = true;
			break;
		case READ_ONLY:
			opening->read_only = true;
			break;
		case SOURCE:
			opening->source = value ? value : opening->source;
			break;
		case DEFAULT_PERMISSIONS: /* it always is */
			break;
		default:
			return complain(EINVAL, "unknown option '%s'", value);
		}
	return 0;
}

/* NAME, UID, UID:GID. */
static int user_read(struct opening *opening, const char *user)
{
	const struct passwd *found = getpwnam(user);
	unsigned uid, gid;
	char rest;

	if (found) {
		opening->uid = found->pw_uid;
		opening->gid = found->pw_gid;
		return 0;
	}
	switch (sscanf(user, "%u:%u%c", &uid, &gid, &rest)) {
	case 1:
		gid = uid;
		break;
	case 2:
		break;
	default:
		return complain(ENOENT, "there is no user '%s'", user);
	}
	opening->uid = uid;
	opening->gid = gid;
	return 0;
}

/* Where the word at `at` takes another one behind it. */
static const char **argument_of(struct wish *wish, const char *word)
{
	const struct {
		const char *name;
		const char **argument;
	} options[] = {{"-u", &wish->user},
		       {"--unit", &wish->opening.unit},
		       {"--listen", &wish->serve},
		       {"--request", &wish->ask},
		       {"--unmount", &wish->close}};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (strcmp(word, options[i].name) == 0)
			return options[i].argument;
	return NULL;
}

static int words_read(struct wish *wish, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char **argument = argument_of(wish, argv[i]);

		if (argument && i + 1 < argc)
			*argument = argv[++i];
		else if (strcmp(argv[i], "-o") == 0 && i + 1 < argc) {
			if (options_read(&wish->opening, argv[++i]))
				return -EINVAL;
		} else if (strcmp(argv[i], "--") == 0 && i + 1 < argc) {
			wish->command = argv + i + 1;
			return 0;
		} else if (argv[i][0] != '-' && !wish->opening.mountpoint)
			wish->opening.mountpoint = argv[i];
		else
			return -EINVAL;
	}
	return 0;
}

static bool makes_sense(const struct wish *wish)
{
	if ((wish->serve != NULL) + (wish->ask != NULL) + (wish->close != NULL) != 1)
		return false;
	if (wish->ask)
		return wish->command && !wish->opening.mountpoint;
	return !wish->command &&
	       (wish->close || (wish->opening.mountpoint && (wish->user || wish->opening.unit)));
}

/* Returns only after a failure. */
static int run(char **command, int fd)
{
	if (fd == DESCRIPTOR ? fcntl(fd, F_SETFD, 0) : dup2(fd, DESCRIPTOR) < 0)
		return complain(errno, "the descriptor can't become %d", DESCRIPTOR);
	execvp(command[0], command);
	return complain(errno, "%s can't be run", command[0]);
}

static int fulfil(struct wish *wish)
{
	int failed;

	if (wish->ask) {
		failed = pass_receive(wish->ask, PATIENCE);
		return failed < 0 ? failed : run(wish->command, failed);
	}
	if (wish->close)
		return opening_unmount(wish->close);
	wish->opening.any_user = !wish->user;
	failed = wish->user ? user_read(&wish->opening, wish->user) : 0;
	if (failed)
		return failed;
	failed = opening_unmount(wish->opening.mountpoint);
	if (failed)
		return failed;
	failed = opening_make_directory(wish->opening.mountpoint);
	if (failed)
		return failed;
	return pass_to_all(&wish->opening, wish->serve);
}

int main(int argc, char **argv)
{
	struct wish wish = {.opening.source = "sstorefs"};
	int failed;

	process_harden();
	if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
		fputs(usage, stdout);
		return 0;
	}
	if (words_read(&wish, argc, argv) || !makes_sense(&wish)) {
		fputs("sstorefs-mount-proxy: these words make no sense: see sstorefs-mount-proxy --help\n",
		      stderr);
		return STATUS_USAGE;
	}
	failed = fulfil(&wish);
	process_soften();
	return failed ? STATUS_FAILED : 0;
}
