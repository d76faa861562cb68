/* The options behind -o: one table, and a function for each that reads its value. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "sstorefs/clock.h"
#include "sstorefs/seal.h"

/* 31 years, far from where milliseconds overflow. */
#define SECONDS_MAX 1e9

static void *option_member(struct config *config, const struct mount_option *option)
{
	return (char *)config + option->member;
}

static int opt_flag(struct config *config, const struct mount_option *option, const char *value)
{
	(void)value;
	*(bool *)option_member(config, option) = true;
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
	char **text = option_member(config, option);

	free(*text);
	*text = strdup(value);
	return *text ? 0 : oom_error();
}

/* Makes the path absolute: the daemon leaves its directory, and reads tokens again later. */
static int opt_file(struct config *config, const struct mount_option *option, const char *value)
{
	char **path = option_member(config, option), *here;
	int failed = 0;

	if (value[0] == '/')
		return opt_text(config, option, value);
	if (value[0] == '~' && access(value, F_OK))
		return option_error(option, value,
				    "is not the home directory, because no shell replaces the '~' "
				    "behind '=': write $HOME instead");
	here = getcwd(NULL, 0);
	if (!here)
		return usage_error(
			"the option '%s' has a relative path, and the current directory is unknown (%s): "
			"give the whole path",
			option->name, strerror(errno));
	free(*path);
	if (asprintf(path, "%s/%s", here, value) < 0) {
		*path = NULL;
		failed = oom_error();
	}
	free(here);
	return failed;
}

/* Reads seconds with an optional fraction. Returns 0, or -EINVAL after a message. */
static int read_seconds(const struct mount_option *option, const char *value, double *seconds)
{
	size_t length = strlen(value);
	char *end;

	if (length > 0 && strspn(value, "0123456789.") == length) {
		*seconds = strtod(value, &end);
		if (*end == '\0' && *seconds <= SECONDS_MAX)
			return 0;
	}
	return option_error(option, value, "is no number of seconds: give one such as 60");
}

static int opt_milliseconds(struct config *config, const struct mount_option *option,
			    const char *value)
{
	double seconds;
	int failed = read_seconds(option, value, &seconds);

	if (!failed)
		*(uint64_t *)option_member(config, option) = (uint64_t)(seconds * 1000 + 0.5);
	return failed;
}

/* `minimal` and `indefinite` may stand for themselves. */
static int opt_ttl(struct config *config, const struct mount_option *option, const char *value)
{
	value = value ? value : option->name;
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

static int opt_timeout(struct config *config, const struct mount_option *option, const char *value)
{
	int failed = opt_milliseconds(config, option, value);

	if (failed == 0 && config->timeout == 0)
		return option_error(option, value,
				    "leaves no time for any operation: give the seconds one may "
				    "take, such as 30");
	return failed;
}

static int opt_kernel_timeout(struct config *config, const struct mount_option *option,
			      const char *value)
{
	return read_seconds(option, value, option_member(config, option));
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
		return option_error(option, value,
				    "is no Ed25519 key: give its 32 bytes in base64, or 'api'");
	return opt_text(config, option, value);
}

/* Returns the number of `value` among the words of option->argument, `a|b|c`; or -EINVAL after a
 * message. */
static int read_choice(const struct mount_option *option, const char *value)
{
	size_t length = strlen(value);
	const char *word = option->argument;

	for (int number = 0; *word != '\0'; number++) {
		size_t word_length = strcspn(word, "|");

		if (length == word_length && memcmp(word, value, length) == 0)
			return number;
		word += word_length + (word[word_length] == '|');
	}
	return usage_error("%s=%s is unknown: give one of %s", option->name, value,
			   option->argument);
}

static int opt_choice(struct config *config, const struct mount_option *option, const char *value)
{
	int number = read_choice(option, value);

	if (number >= 0)
		*(unsigned *)option_member(config, option) = (unsigned)number;
	return number < 0 ? number : 0;
}

/* Sets a bool to true for the second of two choices. */
static int opt_either(struct config *config, const struct mount_option *option, const char *value)
{
	int number = read_choice(option, value);

	if (number >= 0)
		*(bool *)option_member(config, option) = number == 1;
	return number < 0 ? number : 0;
}

static int opt_expires(struct config *config, const struct mount_option *option, const char *value)
{
	if (time_parse_duration(value, &config->expires) || config->expires == 0)
		return option_error(
			option, value,
			"is no duration: give one with a unit, such as 90s, 30m, 12h or 7d");
	return 0;
}

static int opt_endpoint(struct config *config, const struct mount_option *option, const char *value)
{
	return parse_endpoint(config, option->name, value);
}

/* The id of a user, of less than 256 bytes, because it names a directory. */
#define USER_ID		 "usr_[A-Za-z0-9_]{1,251}"
#define OPT_MEMBER(name) offsetof(struct config, name)
/* The table of options, in the order of --help. A name with and one without a value are two rows.
 */
const struct mount_option options[] = {
	{"token_file", "PATH", NULL, opt_file, OPT_MEMBER(token_file),
	 "file that holds the API token, for its owner alone"},
	{"endpoint", "URL", NULL, opt_endpoint, OPT_MEMBER(endpoint),
	 "another API base; http:// only to a loopback address"},
	{"cacert", "PATH", NULL, opt_file, OPT_MEMBER(cacert),
	 "trust the certificate authorities in this file"},
	{"proxy", "URL", NULL, opt_proxy, 0, "proxy on the way to the service"},
	{"proxy_password_file", "PATH", NULL, opt_file, OPT_MEMBER(proxy_password_file),
	 "file that holds the proxy's password, for its owner alone"},
	{"signing_key", "BASE64|api", "fastly", opt_signing_key, OPT_MEMBER(signing_key),
	 "key that signs client keys, or what the API says"},
	{"ttl", "SECONDS|minimal|indefinite", NULL, opt_ttl, OPT_MEMBER(ttl),
	 "how long metadata counts as fresh [60]"},
	{"negative_ttl", "SECONDS", NULL, opt_milliseconds, OPT_MEMBER(negative_ttl),
	 "the same for names that do not exist [5]"},
	{"timeout", "SECONDS", NULL, opt_timeout, OPT_MEMBER(timeout),
	 "the whole time an operation may take [30]"},
	{"newline", "auto|keep", NULL, opt_either, OPT_MEMBER(keep_newline),
	 "whether one line loses its trailing newline [auto]"},
	{"commit", "close|fsync|write", NULL, opt_choice, OPT_MEMBER(commit),
	 "when a value is published [close]"},
	{"scopes", "A:B", "cloudflare", opt_text, OPT_MEMBER(scopes), "for new secrets [workers]",
	 "^[A-Za-z0-9_:-]*[A-Za-z0-9_-][A-Za-z0-9_:-]*$",
	 "is no list of names: put colons between them, as in a:b"},
	{"comment", "TEXT", "cloudflare", opt_text, OPT_MEMBER(comment), "for new secrets [none]",
	 "", NULL},
	{"expires", "DURATION", "stripe", opt_expires, 0,
	 "for new secrets: 90s 30m 12h 7d [never]"},
	{"stripe_account", "acct_ID", "stripe", opt_text, OPT_MEMBER(account),
	 "the account that installed the app", "^acct_[A-Za-z0-9_-]+$",
	 "is no account id: it begins with acct_"},
	{"stripe_context", "acct_A/acct_B", "stripe", opt_text, OPT_MEMBER(stripe_context),
	 "the account, for the key of an organization", "^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*$",
	 "is no context: give one such as acct_A or acct_A/acct_B"},
	{"stripe_version", "DATE.NAME", "stripe", opt_text, OPT_MEMBER(stripe_version),
	 "another version of the API", "^[0-9]{4}-[0-9]{2}-[0-9]{2}([.][a-z]+)?$",
	 "is no version: give one such as 2026-07-29.dahlia"},
	{"users", "usr_A:usr_B", "stripe", opt_text, OPT_MEMBER(users),
	 "user scopes to show beside account", "^" USER_ID "(:" USER_ID ")*:?$",
	 "is no list of user ids: give one such as usr_a:usr_b"},
	{"visibility", "all|private|selected", "github", opt_text, OPT_MEMBER(visibility),
	 "of an organization's new secrets [private]", "^(all|private|selected)$",
	 "is none: give one of all, private, selected"},
	{"repositories", "A:B", "github", opt_text, OPT_MEMBER(repositories),
	 "that may use new secrets; implies visibility=selected",
	 "^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)*$",
	 "is no list of repositories: put colons between their names, as in a:b"},
	{"pace", "asked|none", "github", opt_either, OPT_MEMBER(unpaced),
	 "whether changes are sent as slowly as the service asks [asked]"},
	{"uid", "USER", NULL, opt_uid, 0, "owner of everything [who mounts]"},
	{"gid", "GROUP", NULL, opt_gid, 0, "group of everything [who mounts]"},
	{"umask", "OCTAL", NULL, opt_umask, 0, "permissions to take away [077]", "^0?[0-7]{1,3}$",
	 "is no mask: give an octal number up to 777, such as 077"},
	{"user", "NAME", NULL, opt_user, 0,
	 "who the daemon becomes once it is mounted, without privileges"},
	{"nocreate", NULL, NULL, opt_flag, OPT_MEMBER(nocreate),
	 "existing secrets can be replaced, nothing else changed"},
	{"ro", NULL, NULL, opt_flag, OPT_MEMBER(read_only), "nothing can be changed"},
	{"allow_other", NULL, NULL, opt_flag, OPT_MEMBER(allow_other),
	 "for all users; implies default_permissions"},
	{"default_permissions", NULL, NULL, opt_flag, OPT_MEMBER(default_permissions),
	 "let the kernel check permissions"},
	{"sizes", "shown|hidden", NULL, opt_choice, OPT_MEMBER(sizes),
	 "length of what was written here [shown, hidden with allow_other]"},
	{"log", "text|json", NULL, opt_either, OPT_MEMBER(log_json),
	 "what a line of the log looks like [text]"},
	{"entry_timeout", "SECONDS", NULL, opt_kernel_timeout, OPT_MEMBER(entry_timeout),
	 "how long the kernel keeps names"},
	{"attr_timeout", "SECONDS", NULL, opt_kernel_timeout, OPT_MEMBER(attr_timeout),
	 "how long it keeps attributes"},
	{"negative_timeout", "SECONDS", NULL, opt_kernel_timeout, OPT_MEMBER(negative_timeout),
	 "how long it keeps absent names"},

	{"minimal", .apply = opt_ttl},
	{"indefinite", .apply = opt_ttl},

	{"rw", .apply = opt_read_write},
	{"remount",
	 .fault = "a mount can't be changed while it is there: unmount it and mount it anew"},
};
const unsigned option_count = sizeof(options) / sizeof(options[0]);
_Static_assert(sizeof(options) / sizeof(options[0]) <= OPTIONS_MAX,
	       "struct options_given has too few rows");

/* Options without a value that mount(8), fstab(5) and systemd add; they change nothing. The mount
 * is nosuid, nodev and noexec in any case, and has no symbolic links. */
static const char ignored[] =
	"^(defaults|a?sync|dirsync|silent|loud|_netdev|nofail|"
	"(no)?(dev|suid|exec|(|dir|rel|strict)atime|lazytime|symfollow|mand|iversion)|"
	"(no)?(auto|users?|owner|group))$";
/* Names that a token on the command line would be given by. */
static const char tokens[] = "^((api_)?(token|key)|pass(word)?)$";

/* Explains why there is no row for the option `name`. `other`: there is one with a value where this
 * one has none, or without. */
static int no_such_option(const char *name, bool has_value, const struct mount_option *other)
{
	if (text_matches(tokens, name))
		return usage_error("'%s' on the command line can be read by every user of this "
				   "machine: write the token to a file and give -o token_file=PATH",
				   name);
	if (has_value && (other || text_matches(ignored, name)))
		return usage_error("the option '%s' takes no value: write it without '='", name);
	if (other)
		return usage_error("the option '%s' needs a value: give %s=%s", name, name,
				   other->argument);
	for (unsigned i = 0; i < option_count; i++)
		if (options[i].help && is_typo_of(name, strlen(name), options[i].name))
			return usage_error("unknown option '%s': did you mean '%s%s%s'?", name,
					   options[i].name, options[i].argument ? "=" : "",
					   options[i].argument ? options[i].argument : "");
	return usage_error("unknown option '%s': see sstorefs --help", name);
}

/* Checks the value against the pattern of its row, and applies it. */
static int option_apply(struct config *config, const struct mount_option *option, const char *value)
{
	if (!option->apply)
		return usage_error("%s", option->fault);
	if (value && *value == '\0' && (!option->pattern || *option->pattern))
		return usage_error("the option '%s' has an empty value: give %s=%s or leave it out",
				   option->name, option->name, option->argument);
	if (value && option->pattern && !text_matches(option->pattern, value))
		return option_error(option, value, option->fault);
	return option->apply(config, option, value);
}

/* Takes one option; `text` is changed. No message repeats a value that may be a token. */
static int option_read(struct config *config, struct options_given *given, char *text)
{
	char *value = strchr(text, '=');
	const struct mount_option *other = NULL;

	if (value)
		*value++ = '\0';
	for (unsigned i = 0; i < option_count; i++) {
		const struct mount_option *option = &options[i];

		if (strcmp(option->name, text) != 0)
			continue;
		if ((value != NULL) != (option->argument != NULL)) {
			other = option;
			continue;
		}
		given->row[i] = true;
		return option_apply(config, option, value);
	}
	/* Comments for other programs, with or without a value (mount(8)). */
	if (strncmp(text, "x-", 2) == 0 || strncmp(text, "X-", 2) == 0)
		return 0;
	return !value && text_matches(ignored, text) ? 0 : no_such_option(text, value, other);
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
		return oom_error();
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
				"the option '%s' is for %s:, and %s is mounted: leave it out",
				options[i].name, service, config->source);
	}
	if (config->account && config->stripe_context)
		return usage_error(
			"stripe_account= and stripe_context= both name the account: give "
			"stripe_context= alone");
	return 0;
}
