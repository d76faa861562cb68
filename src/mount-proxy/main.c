/* sstorefs-mount-proxy: mounts as root for a daemon that runs without privileges. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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

#define DESCRIPTOR	3
#define CONNECT_TIMEOUT 30 /* seconds to wait for the mount proxy */

static const char usage[] =
	"usage: sstorefs-mount-proxy MOUNTPOINT -u USER | --unit UNIT [-o OPTIONS] --listen SOCKET\n"
	"       sstorefs-mount-proxy --request SOCKET -- COMMAND [ARGUMENT…]\n"
	"       sstorefs-mount-proxy --prepare MOUNTPOINT [-o nocover] [-- COMMAND [ARGUMENT…]]\n"
	"       sstorefs-mount-proxy --unmount MOUNTPOINT\n"
	"       sstorefs-mount-proxy --help | --version\n"
	"\n"
	"Mounts /dev/fuse, which takes root, and gives the descriptor to a daemon of USER without privileges.\n"
	"\n"
	"  -u USER          the user that the daemon runs as: a name, UID, or UID:GID\n"
	"  --unit UNIT      the daemon is a process of this unit of systemd's, as any user\n"
	"  -o OPTIONS       allow_other, ro, source=SOURCE (as findmnt shows it), nocover, with commas between them\n"
	"  --listen SOCKET  give a new mount to one process at a time that asks at SOCKET; unmount when terminated\n"
	"  --request SOCKET ask there, and run COMMAND with it as /dev/fd/3\n"
	"  --prepare        make the directory, so that root cannot write there while nothing is mounted; run COMMAND\n"
	"  --unmount        unmount, whatever its daemon does\n";

struct arguments {
	struct mount_spec mount;
	const char *user, *listen, *request, *unmount, *prepare;
	char **command;
};

int usage_error(int error, const char *format, ...)
{
	struct buffer text = {0}, line = {0};
	va_list arguments;

	va_start(arguments, format);
	buffer_vprintf(&text, format, arguments);
	va_end(arguments);
	buffer_printable(&line, buffer_cstr(&text), "");
	fprintf(stderr, "sstorefs-mount-proxy: %s: %s\n", buffer_cstr(&line), strerror(error));
	buffer_finish(&line);
	buffer_finish(&text);
	return -error;
}

/* Reads the argument of -o. default_permissions is always given, so it changes nothing. Returns 0,
 * or -EINVAL after one line on stderr. */
static int options_read(struct mount_spec *spec, char *text)
{
	enum { SOURCE, ALLOW_OTHER, DEFAULT_PERMISSIONS, READ_ONLY, NO_COVER };
	char *const names[] = {[SOURCE] = (char[]){"source"},
			       [ALLOW_OTHER] = (char[]){"allow_other"},
			       [DEFAULT_PERMISSIONS] = (char[]){"default_permissions"},
			       [READ_ONLY] = (char[]){"ro"},
			       [NO_COVER] = (char[]){"nocover"},
			       NULL};
	bool unused, *const flags[] = {[ALLOW_OTHER] = &spec->allow_other,
				       [DEFAULT_PERMISSIONS] = &unused,
				       [READ_ONLY] = &spec->read_only,
				       [NO_COVER] = &spec->no_cover};
	char *value;

	while (*text) {
		int option = getsubopt(&text, names, &value);

		if (option < 0)
			return usage_error(EINVAL, "unknown option '%s'", value);
		if (option != SOURCE)
			*flags[option] = true;
		else if (value)
			spec->source = value;
	}
	return 0;
}

/* Reads NAME, UID or UID:GID. Returns 0, or -ENOENT after one line on stderr. */
static int user_read(struct mount_spec *spec, const char *user)
{
	const struct passwd *found = getpwnam(user);
	unsigned long long uid = UINT32_MAX, gid = UINT32_MAX; /* (uid_t)-1, which is no user */
	int end = 0;

	if (found) {
		spec->uid = found->pw_uid;
		spec->gid = found->pw_gid;
		return 0;
	}
	if (sscanf(user, "%llu%n:%llu%n", &uid, &end, &gid, &end) == 1)
		gid = uid;
	if (user[end] || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return usage_error(ENOENT, "there is no user '%s'", user);
	spec->uid = (uid_t)uid;
	spec->gid = (gid_t)gid;
	return 0;
}

static const struct option long_flags[] = {
	{"unit", required_argument, NULL, 'U'},	   {"listen", required_argument, NULL, 'L'},
	{"request", required_argument, NULL, 'R'}, {"unmount", required_argument, NULL, 'X'},
	{"prepare", required_argument, NULL, 'P'}, {"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},	   {NULL, 0, NULL, 0},
};

static int take_flag(struct arguments *arguments, int flag)
{
	/* 1 is a word that is no flag. */
	const char **const texts[] = {
		[1] = &arguments->mount.mountpoint, ['u'] = &arguments->user,
		['U'] = &arguments->mount.unit,	    ['L'] = &arguments->listen,
		['R'] = &arguments->request,	    ['X'] = &arguments->unmount,
		['P'] = &arguments->prepare};

	if (flag == 'o')
		return options_read(&arguments->mount, optarg);
	if (flag == 'h' || flag == 'V') {
		fputs(flag == 'h' ? usage : "sstorefs-mount-proxy " SSTOREFS_VERSION "\n", stdout);
		exit(0);
	}
	if (flag == ':' || flag == '?' || (flag == 1 && arguments->mount.mountpoint))
		return -EINVAL;
	*texts[flag] = optarg;
	return 0;
}

static int parse_arguments(struct arguments *arguments, int argc, char **argv)
{
	int flag, failed = 0;

	opterr = 0;
	/* '-': words that are no flags come in their order; the command is behind `--`. */
	while (!failed && (flag = getopt_long(argc, argv, "-:u:o:hV", long_flags, NULL)) >= 0)
		failed = take_flag(arguments, flag);
	if (optind < argc)
		arguments->command = argv + optind;
	return failed;
}

static bool arguments_valid(const struct arguments *arguments)
{
	if ((arguments->listen != NULL) + (arguments->request != NULL) +
		    (arguments->unmount != NULL) + (arguments->prepare != NULL) !=
	    1)
		return false;
	if (arguments->request)
		return arguments->command && !arguments->mount.mountpoint;
	if (arguments->prepare)
		return !arguments->mount.mountpoint && !arguments->user && !arguments->mount.unit;
	return !arguments->command &&
	       (arguments->unmount ||
		(arguments->mount.mountpoint && (arguments->user || arguments->mount.unit)));
}

/* Runs `command` with `fd`, if that is not negative, as DESCRIPTOR. Returns only after a failure.
 */
static int run(char **command, int fd)
{
	if (fd >= 0 && (fd == DESCRIPTOR ? fcntl(fd, F_SETFD, 0) : dup2(fd, DESCRIPTOR) < 0))
		return usage_error(errno, "the descriptor can't become %d", DESCRIPTOR);
	execvp(command[0], command);
	return usage_error(errno, "%s can't be run", command[0]);
}

static int prepare(const struct arguments *arguments)
{
	struct mount_place covered;
	int failed = prepare_mountpoint(arguments->prepare, !arguments->mount.no_cover, &covered);

	place_close(&covered);
	return arguments->command ? run(arguments->command, -1) : failed;
}

static int serve(struct mount_spec *spec, const char *socket)
{
	struct mount_place covered;
	int failed = unmount_ours(spec->mountpoint);

	if (!failed)
		failed = make_mountpoint(spec->mountpoint);
	if (failed)
		return failed;
	/* A mountpoint that can't be closed to root is reported, and mounted on all the same. */
	prepare_mountpoint(spec->mountpoint, !spec->no_cover, &covered);
	failed = fd_serve(spec, socket);
	if (covered.directory >= 0)
		place_unmount(&covered);
	place_close(&covered);
	return failed;
}

static int run_command(struct arguments *arguments)
{
	int failed;

	if (arguments->request) {
		failed = fd_request(arguments->request, CONNECT_TIMEOUT);
		return failed < 0 ? failed : run(arguments->command, failed);
	}
	if (arguments->unmount)
		return unmount_ours(arguments->unmount);
	if (arguments->prepare)
		return prepare(arguments);
	arguments->mount.any_user = !arguments->user;
	failed = arguments->user ? user_read(&arguments->mount, arguments->user) : 0;
	return failed ? failed : serve(&arguments->mount, arguments->listen);
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.mount.source = "sstorefs"};
	int failed;

	process_harden();
	if (parse_arguments(&arguments, argc, argv) || !arguments_valid(&arguments)) {
		fputs("sstorefs-mount-proxy: wrong arguments: see sstorefs-mount-proxy --help\n",
		      stderr);
		return STATUS_USAGE;
	}
	failed = run_command(&arguments);
	process_soften();
	return failed ? STATUS_FAILED : 0;
}
