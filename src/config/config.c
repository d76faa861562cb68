/* Reads the command line into struct config. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "sstorefs/clock.h"

static void set_defaults(struct config *config)
{
	memset(config, 0, sizeof(*config));
	config->place = PLACE_NONE;
	config->program = "sstorefs";
	config->mount_fd = -1;
	config->ttl = 60 * 1000;
	config->negative_ttl = 5 * 1000;
	config->timeout = 30 * 1000;
	config->uid = config->mounter = getuid();
	config->gid = getgid();
	config->umask = 077;
	config->entry_timeout = config->attr_timeout = config->negative_timeout = -1;
}

/* What stands on the command line before anything is concluded from it. */
struct arguments {
	const char *source, *mountpoint;
	struct options_given given;
};

/* The flags without a value. */
struct flag {
	const char *name;
	enum action action; /* ACTION_MOUNT: it changes nothing of that */
	bool foreground, debug, json, alive;
};

static const struct flag flags[] = {
	{"-h", .action = ACTION_HELP},
	{"--help", .action = ACTION_HELP},
	{"-V", .action = ACTION_VERSION},
	{"--version", .action = ACTION_VERSION},
	{"-f", .foreground = true},
	{"--foreground", .foreground = true},
	{"-d", .foreground = true, .debug = true},
	{"--debug", .foreground = true, .debug = true},
	{"--check", .action = ACTION_CHECK},
	{"--json", .json = true},
	{"--alive", .alive = true},
	{"-v"},
	{"-n"},
	{"-s"},
	{NULL},
};

/* As mount(8) calls its helpers: there -f is what it is on mount's own command line. */
static const struct flag helper_flags[] = {
	{"-f", .action = ACTION_FAKE},
	{"-v"},
	{"-n"},
	{"-s"},
	{"-h", .action = ACTION_HELP},
	{"--help", .action = ACTION_HELP},
	{"-V", .action = ACTION_VERSION},
	{"--version", .action = ACTION_VERSION},
	{NULL},
};

static const struct flag *flag_find(const struct flag *among, const char *name)
{
	for (; among->name; among++) {
		if (strcmp(among->name, name) == 0)
			return among;
	}
	return NULL;
}

static void flag_set(struct config *config, const struct flag *flag)
{
	if (flag->action != ACTION_MOUNT)
		config->action = flag->action;
	config->foreground |= flag->foreground;
	config->debug |= flag->debug;
	config->json |= flag->json;
	config->alive |= flag->alive;
}

/* Several letters may stand behind one dash (mount -nv). */
static int flag_read(struct config *config, bool helper, const char *word)
{
	const struct flag *among = helper ? helper_flags : flags, *flag = flag_find(among, word);

	if (flag) {
		flag_set(config, flag);
		return 0;
	}
	for (const char *letter = word + 1; word[1] != '-' && *letter != '\0'; letter++) {
		flag = flag_find(among, (const char[]){'-', *letter, '\0'});
		if (!flag)
			break;
		flag_set(config, flag);
		if (letter[1] == '\0')
			return 0;
	}
	/* Without what stands behind '=': it may be a token. */
	return usage_error(config, "unknown option '%.*s': see sstorefs --help",
			   (int)strcspn(word, "="), word);
}

/* Whether we are what mount(8) looks for: /sbin/mount.fuse.sstorefs, a link to this program. */
static bool called_by_mount(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;

	return program && strncmp(slash ? slash + 1 : program, "mount.", 6) == 0;
}

/* The word behind an option, which may stand in the same one (`-oro`). NULL after a complaint. */
static const char *argument_of(const struct config *config, const char *what, int *at, int argc,
			       char **argv)
{
	const char *word = argv[*at];

	if (word[2] != '\0')
		return word + 2;
	if (*at + 1 < argc)
		return argv[++*at];
	usage_error(config, "%s needs %s behind it: see sstorefs --help", word, what);
	return NULL;
}

static int argument_take(const struct config *config, struct arguments *arguments, const char *word)
{
	if (!arguments->source)
		arguments->source = word;
	else if (!arguments->mountpoint && config->action != ACTION_CHECK)
		arguments->mountpoint = word;
	else
		return usage_error(config, "too many arguments: give SOURCE%s, see sstorefs --help",
				   config->action == ACTION_CHECK ? " or a mount's directory"
								  : " and MOUNTPOINT");
	return 0;
}

static int arguments_read(struct config *config, struct arguments *arguments, int argc, char **argv)
{
	bool only_words = false, helper = called_by_mount(argv[0]);
	int failed = 0;

	for (int i = 1; i < argc && !failed && config->action < ACTION_HELP; i++) {
		const char *word = argv[i], *argument;

		if (only_words || word[0] != '-' || word[1] == '\0') {
			failed = argument_take(config, arguments, word);
		} else if (strcmp(word, "--") == 0) {
			only_words = true;
		} else if (strncmp(word, "-o", 2) == 0) {
			argument = argument_of(config, "options", &i, argc, argv);
			failed = argument ? options_read(config, &arguments->given, argument)
					  : -EINVAL;
		} else if (helper &&
			   strncmp(word, "-t", 2) == 0) { /* the type, by which we were found */
			failed = argument_of(config, "a type", &i, argc, argv) ? 0 : -EINVAL;
		} else {
			failed = flag_read(config, helper, word);
		}
	}
	return failed;
}

/* /dev/fd/N, a FUSE descriptor that whoever started us has mounted already (mount.fuse3
 * drop_privileges). */
static int mountpoint_read(struct config *config, const char *mountpoint)
{
	static const char prefix[] = "/dev/fd/";
	const char *digits = mountpoint + sizeof(prefix) - 1;

	config->mountpoint = strdup(mountpoint);
	if (!config->mountpoint)
		return oom_error(config);
	if (strncmp(mountpoint, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	if (*digits == '\0' || strlen(digits) > 6 || digits[strspn(digits, "0123456789")] != '\0')
		return usage_error(config, "'%s' is no descriptor: give /dev/fd/N with a number",
				   mountpoint);
	config->mount_fd = atoi(digits);
	return 0;
}

static int environment_read(struct config *config, const struct options_given *given)
{
	const char *const *variable = config->provider->endpoint_variables;
	int failed = 0;

	for (; variable && *variable && !config->endpoint && !failed; variable++) {
		const char *url = env_or_null(*variable);

		if (url)
			failed = parse_endpoint(config, *variable, url);
	}
	if (!failed && !config->endpoint)
		failed = parse_endpoint(config, config->provider->name, config->provider->endpoint);
	if (strcmp(config->provider->name, "fastly") == 0 && !options_have(given, "signing_key"))
		config->signing_key_from_api = env_or_null("FASTLY_USE_API_SIGNING_KEY") != NULL;
	return failed;
}

static int permissions_settle(struct config *config)
{
	if (!config->allow_other || config->default_permissions)
		return 0;
	if (config->mount_fd >= 0)
		return usage_error(
			config,
			"allow_other on %s lets every user write every secret: whoever opened it has to mount it with "
			"default_permissions, give that option too",
			config->mountpoint);
	config->default_permissions = true;
	return 0;
}

/* What libfuse gets, escaped as it reads it. Not `ro`: what the kernel refuses by itself can't be
 * explained in `errors`. */
static int mount_options_build(struct config *config)
{
	struct buffer *built = &config->mount_options;

	buffer_puts(built, "fsname=");
	for (const char *byte = config->source; *byte != '\0'; byte++) {
		if (*byte == ',' || *byte == '\\')
			buffer_puts(built, "\\");
		buffer_append(built, byte, 1);
	}
	buffer_puts(built, ",subtype=sstorefs,nosuid,nodev,noexec");
	if (config->allow_other)
		buffer_puts(built, ",allow_other");
	if (config->default_permissions)
		buffer_puts(built, ",default_permissions");
	return buffer_error(built) ? oom_error(config) : 0;
}

static bool is_path(const char *source)
{
	return source[0] == '/' || source[0] == '.';
}

static int arguments_check(struct config *config, const struct arguments *arguments)
{
	if (config->json && config->action != ACTION_CHECK)
		return usage_error(config,
				   "--json goes with --check: leave it out, or see -o log=json");
	if (config->alive &&
	    (config->action != ACTION_CHECK || !arguments->source || !is_path(arguments->source)))
		return usage_error(
			config, "--alive goes with --check and a mount's directory: leave it out");
	if (config->action == ACTION_CHECK && arguments->source && arguments->mountpoint)
		return usage_error(
			config,
			"--check mounts nothing: give SOURCE without a mountpoint, or a mount's directory alone");
	if (config->action == ACTION_CHECK)
		return arguments->source
			       ? 0
			       : usage_error(
					 config,
					 "SOURCE is missing: usage: sstorefs --check SOURCE [-o OPTIONS], see sstorefs --help");
	if (arguments->source && arguments->mountpoint)
		return 0;
	return usage_error(
		config,
		"%s is missing: usage: sstorefs SOURCE MOUNTPOINT [-o OPTIONS], see sstorefs --help",
		arguments->source ? "MOUNTPOINT" : "SOURCE");
}

/* What is a path and no source is the mount to ask. */
static bool checks_mount(const struct config *config, const struct arguments *arguments)
{
	return config->action == ACTION_CHECK && is_path(arguments->source);
}

int config_read(struct config *config, int argc, char **argv)
{
	struct arguments arguments = {0};
	int failed;

	set_defaults(config);
	failed = arguments_read(config, &arguments, argc, argv);
	if (failed || config->action >= ACTION_HELP)
		return failed;
	failed = arguments_check(config, &arguments);
	if (!failed && checks_mount(config, &arguments))
		return mountpoint_read(config, arguments.source);
	if (!failed)
		failed = parse_source(config, arguments.source);
	if (!failed)
		failed = options_check_service(config, &arguments.given);
	if (!failed && arguments.mountpoint)
		failed = mountpoint_read(config, arguments.mountpoint);
	if (!failed)
		failed = environment_read(config, &arguments.given);
	if (!failed && arguments.mountpoint)
		failed = permissions_settle(config);
	if (!failed)
		failed = mount_options_build(config);
	return failed;
}

void config_finish(struct config *config)
{
	char *texts[] = {config->source, config->mountpoint,  config->account,
			 config->store,	 config->token_file,  config->endpoint,
			 config->cacert, config->scopes,      config->comment,
			 config->users,	 config->signing_key, config->user};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	buffer_finish(&config->mount_options);
	place_close(&config->place);
	memset(config, 0, sizeof(*config));
	config->place = PLACE_NONE;
}
