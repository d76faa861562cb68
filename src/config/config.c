/* The command line from argv to struct config. The options behind -o are options.c's, the source source.c's. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "parts.h"
#include "sstorefs/clock.h"

int complain(const struct config *config, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: ", config->program);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return -EINVAL;
}

int complain_memory(const struct config *config)
{
	complain(config, "out of memory while reading the command line: free some and try again");
	return -ENOMEM;
}

const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value != '\0' ? value : NULL;
}

static void set_defaults(struct config *config)
{
	memset(config, 0, sizeof(*config));
	config->program = "sstorefs";
	config->mount_fd = -1;
	config->ttl = 60 * 1000;
	config->negative_ttl = 5 * 1000;
	config->timeout = 30 * 1000;
	config->uid = getuid();
	config->gid = getgid();
	config->umask = 077;
	config->entry_timeout = config->attr_timeout = config->negative_timeout = -1;
}

/* What stands on the command line before anything is concluded from it. */
struct words {
	const char *source, *mountpoint;
	struct options_given given;
};

/* The flags without a value: ours, and those that mount(8) passes to every helper. */
static int flag_read(struct config *config, const char *flag)
{
	static const struct {
		const char *name;
		enum action action;
		bool foreground, debug;
	} flags[] = {
		{"-h", .action = ACTION_HELP},
		{"--help", .action = ACTION_HELP},
		{"-V", .action = ACTION_VERSION},
		{"--version", .action = ACTION_VERSION},
		{"-f", .foreground = true},
		{"--foreground", .foreground = true},
		{"-d", .foreground = true, .debug = true},
		{"--debug", .foreground = true, .debug = true},
		{"-v"},
		{"-n"},
		{"-s"},
	};

	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strcmp(flag, flags[i].name) != 0)
			continue;
		if (flags[i].action != ACTION_MOUNT)
			config->action = flags[i].action;
		config->foreground |= flags[i].foreground;
		config->debug |= flags[i].debug;
		return 0;
	}
	/* Without what stands behind '=': it may be a token. */
	return complain(config, "unknown option '%.*s': see sstorefs --help", (int)strcspn(flag, "="), flag);
}

static int words_read(struct config *config, struct words *words, int argc, char **argv)
{
	bool flags = true;
	int failed = 0;

	for (int i = 1; i < argc && !failed && config->action == ACTION_MOUNT; i++) {
		const char *word = argv[i];

		if (flags && strcmp(word, "--") == 0) {
			flags = false;
		} else if (flags && strncmp(word, "-o", 2) == 0) {
			const char *text = word[2] != '\0' ? word + 2 : argv[i + 1];

			if (!text)
				return complain(config, "-o needs options behind it: see sstorefs --help");
			i += word[2] == '\0';
			failed = options_read(config, &words->given, text);
		} else if (flags && word[0] == '-' && word[1] != '\0') {
			failed = flag_read(config, word);
		} else if (!words->source) {
			words->source = word;
		} else if (!words->mountpoint) {
			words->mountpoint = word;
		} else {
			return complain(
				config,
				"too many arguments: give SOURCE and MOUNTPOINT, see sstorefs --help");
		}
	}
	return failed;
}

/* /dev/fd/N, a FUSE descriptor that whoever started us has mounted already (mount.fuse3 drop_privileges). */
static int mountpoint_read(struct config *config, const char *mountpoint)
{
	static const char prefix[] = "/dev/fd/";
	const char *digits = mountpoint + sizeof(prefix) - 1;

	config->mountpoint = strdup(mountpoint);
	if (!config->mountpoint)
		return complain_memory(config);
	if (strncmp(mountpoint, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	if (*digits == '\0' || strlen(digits) > 6 || digits[strspn(digits, "0123456789")] != '\0')
		return complain(config, "'%s' is no descriptor: give /dev/fd/N with a number", mountpoint);
	config->mount_fd = atoi(digits);
	return 0;
}

static int environment_read(struct config *config, const struct options_given *given)
{
	const char *const *variable = config->provider->endpoint_variables;
	int failed = 0;

	for (; variable && *variable && !config->endpoint && !failed; variable++) {
		const char *url = environment(*variable);

		if (url)
			failed = endpoint_take(config, *variable, url);
	}
	if (!failed && !config->endpoint)
		failed = endpoint_take(config, config->provider->name, config->provider->endpoint);
	if (strcmp(config->provider->name, "fastly") == 0 && !options_have(given, "signing_key"))
		config->signing_key_from_api = environment("FASTLY_USE_API_SIGNING_KEY") != NULL;
	return failed;
}

static int permissions_settle(struct config *config)
{
	if (!config->allow_other || config->default_permissions)
		return 0;
	if (config->mount_fd >= 0)
		return complain(
			config,
			"allow_other on %s lets every user write every secret: whoever opened it has to mount it with "
			"default_permissions, give that option too",
			config->mountpoint);
	config->default_permissions = true;
	return 0;
}

/* What libfuse gets, escaped as it reads it. */
static int mount_options_build(struct config *config)
{
	struct buffer *built = &config->mount_options;

	buffer_string(built, "fsname=");
	for (const char *byte = config->source; *byte != '\0'; byte++) {
		if (*byte == ',' || *byte == '\\')
			buffer_string(built, "\\");
		buffer_append(built, byte, 1);
	}
	buffer_string(built, ",subtype=sstorefs,nosuid,nodev,noexec");
	if (config->read_only)
		buffer_string(built, ",ro");
	if (config->allow_other)
		buffer_string(built, ",allow_other");
	if (config->default_permissions)
		buffer_string(built, ",default_permissions");
	return buffer_result(built) ? complain_memory(config) : 0;
}

int config_read(struct config *config, int argc, char **argv)
{
	struct words words = {0};
	int failed;

	set_defaults(config);
	failed = words_read(config, &words, argc, argv);
	if (failed || config->action != ACTION_MOUNT)
		return failed;
	if (!words.source || !words.mountpoint)
		return complain(
			config,
			"%s is missing: usage: sstorefs SOURCE MOUNTPOINT [-o OPTIONS], see sstorefs --help",
			words.source ? "MOUNTPOINT" : "SOURCE");
	failed = source_read(config, words.source);
	if (!failed)
		failed = options_check_service(config, &words.given);
	if (!failed)
		failed = mountpoint_read(config, words.mountpoint);
	if (!failed)
		failed = environment_read(config, &words.given);
	if (!failed)
		failed = permissions_settle(config);
	if (!failed)
		failed = mount_options_build(config);
	return failed;
}

void config_finish(struct config *config)
{
	char *texts[] = {config->source,     config->mountpoint, config->account,    config->store,
			 config->token_file, config->endpoint,	 config->cacert,     config->scopes,
			 config->comment,    config->users,	 config->signing_key};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	buffer_finish(&config->mount_options);
	memset(config, 0, sizeof(*config));
}
