/* Reads the command line by getopt_long(3): flags, -o, SOURCE and MOUNTPOINT. */
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

#include "options.h"

enum { FLAG_CHECK = 256, FLAG_JSON, FLAG_ALIVE };

static const struct option long_flags[] = {
	{"check", no_argument, NULL, FLAG_CHECK}, {"json", no_argument, NULL, FLAG_JSON},
	{"alive", no_argument, NULL, FLAG_ALIVE}, {"foreground", no_argument, NULL, 'f'},
	{"debug", no_argument, NULL, 'd'},	  {"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},	  {NULL, 0, NULL, 0},
};
/* The end of that table: mount(8) passes letters. */
static const struct option *const helper_long_flags = long_flags + 5;

/* True for /sbin/mount.fuse.sstorefs, the link to this program that mount(8) calls. */
static bool is_mount_helper(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;

	return program && strncmp(slash ? slash + 1 : program, "mount.", 6) == 0;
}

/* True for the path of a directory: each source has a colon. */
static bool is_path(const char *source)
{
	struct stat status;

	return source[0] == '/' || source[0] == '.' ||
	       (!strchr(source, ':') && stat(source, &status) == 0 && S_ISDIR(status.st_mode));
}

static int take_argument(const struct config *config, struct arguments *arguments, const char *word)
{
	if (!arguments->source)
		arguments->source = word;
	else if (!arguments->mountpoint && config->action != ACTION_CHECK)
		arguments->mountpoint = word;
	else
		return usage_error("too many arguments: give SOURCE%s, see sstorefs --help",
				   config->action == ACTION_CHECK ? " or a mount's directory"
								  : " and MOUNTPOINT");
	return 0;
}

/* Takes one flag; `word` is the word of the command line that it is in. */
static int take_flag(struct config *config, struct arguments *arguments, int flag, const char *word)
{
	static const enum action actions[] = {['F'] = ACTION_FAKE,
					      ['h'] = ACTION_HELP,
					      ['V'] = ACTION_VERSION,
					      [FLAG_CHECK] = ACTION_CHECK};

	switch (flag) {
	case 1: /* a word that is no flag */
		return take_argument(config, arguments, word);
	case 'o':
		return options_read(config, &arguments->given, optarg);
	case ':':
		return usage_error("%s needs %s behind it: see sstorefs --help", word,
				   optopt == 't' ? "a type" : "options");
	case '?': /* without what is behind '=': it may be a token */
		return usage_error("unknown option '%.*s': see sstorefs --help",
				   (int)strcspn(word, "="), word);
	}
	/* -v, -n, -s and -t, which mount(8) passes, change nothing. */
	if (flag <= FLAG_CHECK && actions[flag])
		config->action = actions[flag];
	config->debug |= flag == 'd';
	config->foreground |= flag == 'd' || flag == 'f';
	config->json |= flag == FLAG_JSON;
	config->alive |= flag == FLAG_ALIVE;
	return 0;
}

int arguments_read(struct config *config, struct arguments *arguments, int argc, char **argv)
{
	bool helper = is_mount_helper(argc ? argv[0] : NULL);
	/* '-': words that are no flags come as they are found, so that argv[at] is the word of each
	 * flag; ':': messages are ours. */
	const char *letters = helper ? "-:o:t:hVfvns" : "-:o:hVfdvns";
	int failed = 0, flag, at;

	optind = 0; /* from the beginning: a process may read several command lines */
	opterr = 0;
	while (!failed && config->action < ACTION_HELP) {
		at = optind ? optind : 1;
		flag = getopt_long(argc, argv, letters, helper ? helper_long_flags : long_flags,
				   NULL);
		if (flag < 0)
			break;
		/* On mount's own command line -f is `fake`. */
		failed = take_flag(config, arguments, helper && flag == 'f' ? 'F' : flag, argv[at]);
	}
	for (; !failed && config->action < ACTION_HELP && optind < argc; optind++)
		failed = take_argument(config, arguments, argv[optind]);
	return failed;
}

int arguments_check(const struct config *config, const struct arguments *arguments)
{
	bool checks = config->action == ACTION_CHECK;

	if (config->json && !checks)
		return usage_error("--json goes with --check: leave it out, or see -o log=json");
	if (config->alive && (!checks || !arguments->source || !is_path(arguments->source)))
		return usage_error(
			"--alive goes with --check and a mount's directory: leave it out");
	if (checks && arguments->source && arguments->mountpoint)
		return usage_error("--check mounts nothing: give SOURCE without a "
				   "mountpoint, or a mount's directory alone");
	if (arguments->source && (checks || arguments->mountpoint))
		return 0;
	return usage_error("%s is missing: usage: sstorefs %s [-o OPTIONS], see sstorefs --help",
			   arguments->source ? "MOUNTPOINT" : "SOURCE",
			   checks ? "--check SOURCE" : "SOURCE MOUNTPOINT");
}

bool arguments_name_mount(const struct config *config, const struct arguments *arguments)
{
	return config->action == ACTION_CHECK && is_path(arguments->source);
}
