/* Reads options that only Stripe has. */
#include <fnmatch.h>
#include <string.h>

#include "options.h"
#include "sstorefs/clock.h"
#include "sstorefs/name.h"

#define LOWERCASE "abcdefghijklmnopqrstuvwxyz"
#define LETTERS	  LOWERCASE "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

int opt_expires(struct config *config, const struct mount_option *option, const char *value)
{
	if (time_parse_duration(value, &config->expires) || config->expires == 0)
		return option_error(config, option, value,
				    "is no duration: give one such as 90s, 30m, 12h or 7d");
	return 0;
}

/* False for `account`, the scope that is always there. */
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

int opt_users(struct config *config, const struct mount_option *option, const char *value)
{
	const char *user = value;

	while (*user != '\0') {
		size_t length = strcspn(user, ":");

		if (!is_user(user, length))
			return option_error(config, option, value,
					    "is no list of user ids: give one such as usr_a:usr_b");
		user += length + (user[length] == ':');
	}
	return opt_text(config, option, value);
}

int opt_stripe_account(struct config *config, const struct mount_option *option, const char *value)
{
	if (strncmp(value, "acct_", 5) != 0 || value[5] == '\0' || strchr(value, ':'))
		return option_error(config, option, value,
				    "is no account id: it begins with acct_");
	return opt_list(config, option, value);
}

/* Ids of accounts, each below the one before it (doc/apis.md, Stripe 1). */
int opt_stripe_context(struct config *config, const struct mount_option *option, const char *value)
{
	const char *id = value;
	size_t length;

	while ((length = strspn(id, LETTERS)) > 0 && id[length] == '/')
		id += length + 1;
	if (length == 0 || id[length] != '\0')
		return option_error(config, option, value,
				    "is no context: give one such as acct_A or acct_A/acct_B");
	return opt_text(config, option, value);
}

/* A date, and behind it the name of a release, which older versions do not have. */
int opt_stripe_version(struct config *config, const struct mount_option *option, const char *value)
{
	static const char date[] = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*";
	size_t length = strlen("2026-07-29");
	const char *release = value + length;

	if (fnmatch(date, value, 0) == 0 &&
	    (!*release ||
	     (*release == '.' && release[1] && !release[1 + strspn(release + 1, LOWERCASE)])))
		return opt_text(config, option, value);
	return option_error(config, option, value,
			    "is no version: give one such as 2026-07-29.dahlia");
}
