/* The options behind -o: one table, and a function for each that reads its value. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "sstorefs/clock.h"
#include "sstorefs/name.h"
#include "sstorefs/seal.h"

/* Long enough for anybody (31 years), and far from where milliseconds overflow. */
#define SECONDS_MAX 1e9

static void *member(struct config *config, const struct mount_option *option)
{
	return (char *)config + option->member;
}

static int opt_nothing(struct config *config, const struct mount_option *option, const char *value)
{
	(void)config, (void)option, (void)value;
	return 0;
}

static int opt_flag(struct config *config, const struct mount_option *option, const char *value)
{
	(void)value;
	*(bool *)member(config, option) = true;
	return 0;
}

static int opt_read_write(struct config *config, const struct mount_option *option,
			  const char *value)
{
	(void)option, (void)value;
	config->read_only = false;
	return 0;
}

static int opt_text(struct config *config, const struct mount_option *option, const char *value)
{
	char **text = member(config, option);

	free(*text);
	*text = strdup(value);
	return *text ? 0 : oom_error(config);
}

/* The daemon leaves its directory, and reads tokens again long after. */
static int opt_file(struct config *config, const struct mount_option *option, const char *value)
{
	char **path = member(config, option), *here;
	int failed = 0;

	if (value[0] == '/')
		return opt_text(config, option, value);
	here = getcwd(NULL, 0);
	if (!here)
		return usage_error(
			config,
			"the option '%s' has a relative path, and the current directory is unknown (%s): "
			"give the whole path",
			option->name, strerror(errno));
	free(*path);
	if (asprintf(path, "%s/%s", here, value) < 0) {
		*path = NULL;
		failed = oom_error(config);
	}
	free(here);
	return failed;
}

static int opt_token(struct config *config, const struct mount_option *option, const char *value)
{
	(void)value;
	return usage_error(config,
			   "'%s' on the command line can be read by every user of this machine: "
			   "write the token to a file and give -o token_file=PATH",
			   option->name);
}

static int opt_remount(struct config *config, const struct mount_option *option, const char *value)
{
	(void)option, (void)value;
	return usage_error(
		config, "a mount can't be changed while it is there: unmount it and mount it anew");
}

/* Seconds with an optional fraction. */
static bool read_seconds(const char *value, double *seconds)
{
	size_t length = strlen(value);
	char *end;

	if (length == 0 || strspn(value, "0123456789.") != length)
		return false;
	*seconds = strtod(value, &end);
	return *end == '\0' && *seconds <= SECONDS_MAX;
}

static int opt_milliseconds(struct config *config, const struct mount_option *option,
			    const char *value)
{
	double seconds;

	if (!read_seconds(value, &seconds))
		return usage_error(config, "%s=%s is no number of seconds: give one such as %s=60",
				   option->name, value, option->name);
	*(uint64_t *)member(config, option) = (uint64_t)(seconds * 1000 + 0.5);
	return 0;
}

static int opt_ttl(struct config *config, const struct mount_option *option, const char *value)
{
	config->minimal = strcmp(value, "minimal") == 0;
	if (config->minimal) {
		config->ttl = 0;
		return 0;
	}
	if (strcmp(value, "indefinite") == 0) {
		config->ttl = CLOCK_NEVER;
		return 0;
	}
	return opt_milliseconds(config, option, value);
}

/* `minimal` and `indefinite` may stand for themselves. */
static int opt_bare_ttl(struct config *config, const struct mount_option *option, const char *value)
{
	(void)value;
	return opt_ttl(config, option, option->name);
}

static int opt_timeout(struct config *config, const struct mount_option *option, const char *value)
{
	int failed = opt_milliseconds(config, option, value);

	if (failed == 0 && config->timeout == 0)
		return usage_error(
			config,
			"%s=%s leaves no time for any operation: give the seconds one may take, such as %s=30",
			option->name, value, option->name);
	return failed;
}

static int opt_kernel_timeout(struct config *config, const struct mount_option *option,
			      const char *value)
{
	if (!read_seconds(value, member(config, option)))
		return usage_error(config, "%s=%s is no number of seconds: give one such as %s=1",
				   option->name, value, option->name);
	return 0;
}

static int opt_signing_key(struct config *config, const struct mount_option *option,
			   const char *value)
{
	uint8_t key[crypto_sign_PUBLICKEYBYTES];

	free(config->signing_key);
	config->signing_key = NULL;
	config->signing_key_from_api = strcmp(value, "api") == 0;
	if (config->signing_key_from_api)
		return 0;
	if (signing_key_decode(key, value))
		return usage_error(config,
				   "%s=%s is no Ed25519 key: give its 32 bytes in base64, or 'api'",
				   option->name, value);
	return opt_text(config, option, value);
}

static int opt_newline(struct config *config, const struct mount_option *option, const char *value)
{
	config->keep_newline = strcmp(value, "keep") == 0;
	if (config->keep_newline || strcmp(value, "auto") == 0)
		return 0;
	return usage_error(config, "%s=%s is unknown: give 'auto' or 'keep'", option->name, value);
}

static int opt_commit(struct config *config, const struct mount_option *option, const char *value)
{
	static const char *const names[] = {
		[COMMIT_CLOSE] = "close", [COMMIT_FSYNC] = "fsync", [COMMIT_WRITE] = "write"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]) == 0) {
			config->commit = (enum commit)i;
			return 0;
		}
	}
	return usage_error(config, "%s=%s is unknown: give 'close', 'fsync' or 'write'",
			   option->name, value);
}

static int take_sizes(struct config *config, const struct mount_option *option, const char *value)
{
	config->sizes = strcmp(value, "shown") == 0 ? SIZES_SHOWN : SIZES_HIDDEN;
	if (config->sizes == SIZES_SHOWN || strcmp(value, "hidden") == 0)
		return 0;
	return usage_error(config, "%s=%s is unknown: give 'shown' or 'hidden'", option->name,
			   value);
}

static int opt_log(struct config *config, const struct mount_option *option, const char *value)
{
	config->log_json = strcmp(value, "json") == 0;
	if (config->log_json || strcmp(value, "text") == 0)
		return 0;
	return usage_error(config, "%s=%s is unknown: give 'text' or 'json'", option->name, value);
}

static int opt_expires(struct config *config, const struct mount_option *option, const char *value)
{
	if (time_parse_duration(value, &config->expires) || config->expires == 0)
		return usage_error(config,
				   "%s=%s is no duration: give one such as 90s, 30m, 12h or 7d",
				   option->name, value);
	return 0;
}

static int opt_list(struct config *config, const struct mount_option *option, const char *value)
{
	if (value[strspn(value, ":")] == '\0' ||
	    value[strspn(value, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-:")] != '\0')
		return usage_error(
			config, "%s=%s is no list of names: put colons between them, as in %s=a:b",
			option->name, value, option->name);
	return opt_text(config, option, value);
}

/* The account's own scope is always there, and no user. */
static bool is_user(const char *id, size_t length)
{
	char user[NAME_LENGTH_MAX + 1];

	if (length == 0 || length >= sizeof(user))
		return false;
	memcpy(user, id, length);
	user[length] = '\0';
	return strcmp(user, provider_stripe.builtin_store) != 0 &&
	       provider_stripe.store_name_is_valid(user);
}

static int opt_users(struct config *config, const struct mount_option *option, const char *value)
{
	const char *user = value;

	while (*user != '\0') {
		size_t length = strcspn(user, ":");

		if (!is_user(user, length))
			return usage_error(
				config,
				"%s=%s is no list of user ids: give one such as %s=usr_a:usr_b",
				option->name, value, option->name);
		user += length + (user[length] == ':');
	}
	return opt_text(config, option, value);
}

static int opt_stripe_account(struct config *config, const struct mount_option *option,
			      const char *value)
{
	if (strncmp(value, "acct_", 5) != 0 || value[5] == '\0' || strchr(value, ':'))
		return usage_error(config, "%s=%s is no account id: it begins with acct_",
				   option->name, value);
	return opt_list(config, option, value);
}

static int opt_endpoint(struct config *config, const struct mount_option *option, const char *value)
{
	return parse_endpoint(config, option->name, value);
}

#define OPT_MEMBER(name) offsetof(struct config, name)
#define OPT_IGNORED(name)                                                                          \
	{                                                                                          \
		name, NULL, NULL, opt_nothing, 0, NULL                                             \
	}

/* In the order of --help. A name with and one without a value are two options. */
const struct mount_option options[] = {
	{"token_file", "PATH", NULL, opt_file, OPT_MEMBER(token_file),
	 "file that holds the API token, for its owner alone"},
	{"endpoint", "URL", NULL, opt_endpoint, OPT_MEMBER(endpoint),
	 "another API base; http:// only to a loopback address"},
	{"cacert", "PATH", NULL, opt_file, OPT_MEMBER(cacert),
	 "trust the certificate authorities in this file"},
	{"signing_key", "BASE64|api", "fastly", opt_signing_key, OPT_MEMBER(signing_key),
	 "key that signs client keys, or what the API says"},
	{"ttl", "SECONDS|minimal|indefinite", NULL, opt_ttl, OPT_MEMBER(ttl),
	 "how long metadata counts as fresh [60]"},
	{"negative_ttl", "SECONDS", NULL, opt_milliseconds, OPT_MEMBER(negative_ttl),
	 "the same for names that do not exist [5]"},
	{"timeout", "SECONDS", NULL, opt_timeout, OPT_MEMBER(timeout),
	 "the whole time an operation may take [30]"},
	{"newline", "auto|keep", NULL, opt_newline, 0,
	 "whether one line loses its trailing newline [auto]"},
	{"commit", "close|fsync|write", NULL, opt_commit, 0, "when a value is published [close]"},
	{"scopes", "A:B", "cloudflare", opt_list, OPT_MEMBER(scopes), "for new secrets [workers]"},
	{"comment", "TEXT", "cloudflare", opt_text, OPT_MEMBER(comment), "for new secrets [none]"},
	{"expires", "DURATION", "stripe", opt_expires, 0,
	 "for new secrets: 90s 30m 12h 7d [never]"},
	{"stripe_account", "acct_ID", "stripe", opt_stripe_account, OPT_MEMBER(account),
	 "the account that installed the app"},
	{"users", "usr_A:usr_B", "stripe", opt_users, OPT_MEMBER(users),
	 "user scopes to show beside account"},
	{"uid", "USER", NULL, opt_uid, 0, "owner of everything [who mounts]"},
	{"gid", "GROUP", NULL, opt_gid, 0, "group of everything [who mounts]"},
	{"umask", "OCTAL", NULL, opt_umask, 0, "permissions to take away [077]"},
	{"user", "NAME", NULL, opt_user, 0,
	 "who the daemon becomes once it is mounted, without privileges"},
	{"nocreate", NULL, NULL, opt_flag, OPT_MEMBER(nocreate),
	 "existing secrets can be replaced, nothing else changed"},
	{"ro", NULL, NULL, opt_flag, OPT_MEMBER(read_only), "nothing can be changed"},
	{"allow_other", NULL, NULL, opt_flag, OPT_MEMBER(allow_other),
	 "for all users; implies default_permissions"},
	{"default_permissions", NULL, NULL, opt_flag, OPT_MEMBER(default_permissions),
	 "let the kernel check permissions"},
	{"sizes", "shown|hidden", NULL, take_sizes, 0,
	 "length of what was written here [shown, hidden with allow_other]"},
	{"log", "text|json", NULL, opt_log, 0, "what a line of the log looks like [text]"},
	{"entry_timeout", "SECONDS", NULL, opt_kernel_timeout, OPT_MEMBER(entry_timeout),
	 "how long the kernel keeps names"},
	{"attr_timeout", "SECONDS", NULL, opt_kernel_timeout, OPT_MEMBER(attr_timeout),
	 "how long it keeps attributes"},
	{"negative_timeout", "SECONDS", NULL, opt_kernel_timeout, OPT_MEMBER(negative_timeout),
	 "how long it keeps absent names"},

	/* Both stand for a value of ttl=. */
	{"minimal", NULL, NULL, opt_bare_ttl, OPT_MEMBER(ttl), NULL},
	{"indefinite", NULL, NULL, opt_bare_ttl, OPT_MEMBER(ttl), NULL},

	/* What mount(8), fstab(5) and systemd add. The mount is nosuid, nodev and noexec whatever
	   they say. */
	{"rw", NULL, NULL, opt_read_write, 0, NULL},
	OPT_IGNORED("defaults"),
	OPT_IGNORED("dev"),
	OPT_IGNORED("nodev"),
	OPT_IGNORED("suid"),
	OPT_IGNORED("nosuid"),
	OPT_IGNORED("exec"),
	OPT_IGNORED("noexec"),
	OPT_IGNORED("async"),
	OPT_IGNORED("sync"),
	OPT_IGNORED("dirsync"),
	OPT_IGNORED("atime"),
	OPT_IGNORED("noatime"),
	OPT_IGNORED("diratime"),
	OPT_IGNORED("nodiratime"),
	OPT_IGNORED("relatime"),
	OPT_IGNORED("norelatime"),
	OPT_IGNORED("strictatime"),
	OPT_IGNORED("nostrictatime"),
	OPT_IGNORED("lazytime"),
	OPT_IGNORED("nolazytime"),
	OPT_IGNORED("symfollow"),
	OPT_IGNORED("nosymfollow"), /* there are no symbolic links */
	OPT_IGNORED("mand"),
	OPT_IGNORED("nomand"),
	OPT_IGNORED("iversion"),
	OPT_IGNORED("noiversion"),
	OPT_IGNORED("silent"),
	OPT_IGNORED("loud"),
	OPT_IGNORED("auto"),
	OPT_IGNORED("noauto"),
	OPT_IGNORED("user"),
	OPT_IGNORED("nouser"),
	OPT_IGNORED("users"),
	OPT_IGNORED("nousers"),
	OPT_IGNORED("owner"),
	OPT_IGNORED("noowner"),
	OPT_IGNORED("group"),
	OPT_IGNORED("nogroup"),
	OPT_IGNORED("_netdev"),
	OPT_IGNORED("nofail"),
	OPT_IGNORED("x-*"),
	OPT_IGNORED("X-*"),

	{"remount", NULL, NULL, opt_remount, 0, NULL},
	{"token", "", NULL, opt_token, 0, NULL},
	{"api_token", "", NULL, opt_token, 0, NULL},
	{"api_key", "", NULL, opt_token, 0, NULL},
	{"key", "", NULL, opt_token, 0, NULL},
	{"password", "", NULL, opt_token, 0, NULL},
	{"pass", "", NULL, opt_token, 0, NULL},
};
const unsigned option_count = sizeof(options) / sizeof(options[0]);
_Static_assert(sizeof(options) / sizeof(options[0]) <= OPTIONS_MAX,
	       "struct options_given has too few rows");

static bool matches(const struct mount_option *option, const char *name)
{
	size_t length = strlen(option->name);

	if (option->name[length - 1] == '*')
		return strncmp(option->name, name, length - 1) == 0;
	return strcmp(option->name, name) == 0;
}

/* Takes one option; `text` is changed. Its value is not repeated where it may be a token. */
static int option_read(struct config *config, struct options_given *given, char *text)
{
	char *value = strchr(text, '=');
	const struct mount_option *other = NULL;

	if (value)
		*value++ = '\0';
	for (unsigned i = 0; i < option_count; i++) {
		const struct mount_option *option = &options[i];
		bool any = option->name[strlen(option->name) - 1] == '*';

		if (!matches(option, text))
			continue;
		if (!any && (value != NULL) != (option->argument != NULL)) {
			other = option;
			continue;
		}
		if (value && *value == '\0' && option->argument && option->apply != opt_text)
			return usage_error(
				config,
				"the option '%s' has an empty value: give %s=%s or leave it out",
				text, text, option->argument);
		given->row[i] = true;
		return option->apply(config, option, value);
	}
	if (!other)
		return usage_error(config, "unknown option '%s': see sstorefs --help", text);
	if (other->apply == opt_token)
		return opt_token(config, other, NULL);
	if (value)
		return usage_error(config, "the option '%s' takes no value: write it without '='",
				   text);
	return usage_error(config, "the option '%s' needs a value: give %s=%s", text, text,
			   other->argument);
}

/* Cuts the first option off `*rest`, unescaped in place. NULL at the end. */
static char *option_next(char **rest)
{
	char *begin = *rest, *to = begin, *from = begin;

	if (!begin)
		return NULL;
	while (*from != '\0' && *from != ',') {
		if (from[0] == '\\' && (from[1] == ',' || from[1] == '\\'))
			from++;
		*to++ = *from++;
	}
	*rest = *from == ',' ? from + 1 : NULL;
	*to = '\0';
	return begin;
}

int options_read(struct config *config, struct options_given *given, const char *text)
{
	char *copy = strdup(text), *rest = copy, *option;
	int failed = 0;

	if (!copy)
		return oom_error(config);
	while (!failed && (option = option_next(&rest)) != NULL) {
		if (*option != '\0')
			failed = option_read(config, given, option);
	}
	free(copy);
	return failed;
}

int options_check_service(const struct config *config, const struct options_given *given)
{
	for (unsigned i = 0; i < option_count; i++) {
		const char *service = options[i].service;

		if (given->row[i] && service && strcmp(service, config->provider->name) != 0)
			return usage_error(
				config,
				"the option '%s' is for %s:, and %s is mounted: leave it out",
				options[i].name, service, config->source);
	}
	return 0;
}

bool options_have(const struct options_given *given, const char *name)
{
	for (unsigned i = 0; i < option_count; i++) {
		if (given->row[i] && strcmp(options[i].name, name) == 0)
			return true;
	}
	return false;
}
