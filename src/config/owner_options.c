/* Reads options that name users and groups: the owner of the files, and the user of the daemon. */
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

/* Rejects 4294967295: chown(2) treats (uid_t)-1 as "unchanged". */
static bool read_id(const char *value, uint32_t *id)
{
	unsigned long long number;

	if (value[0] == '\0' || strlen(value) > 10 || value[strspn(value, "0123456789")] != '\0')
		return false;
	number = strtoull(value, NULL, 10);
	*id = (uint32_t)number;
	return number < UINT32_MAX;
}

int opt_uid(struct config *config, const struct mount_option *option, const char *value)
{
	const struct passwd *user;

	if (read_id(value, &config->uid))
		return 0;
	user = getpwnam(value);
	if (!user)
		return option_error(option, value,
				    "is no user of this machine: give a name or a number");
	config->uid = user->pw_uid;
	return 0;
}

/* mount(8) adds this option, too, with the mounter's name: then nothing changes. */
int opt_user(struct config *config, const struct mount_option *option, const char *value)
{
	uint32_t id;
	const struct passwd *user = read_id(value, &id) ? getpwuid(id) : getpwnam(value);

	if (!user)
		return option_error(option, value,
				    "is no user of this machine: give a name or a number");
	free(config->user);
	config->user = NULL;
	if (user->pw_uid == geteuid())
		return 0;
	if (geteuid() != 0)
		return usage_error(
			"%s=%s: only root can become another user: leave it out, or mount as %s",
			option->name, value, user->pw_name);
	config->user_uid = user->pw_uid;
	config->user_gid = user->pw_gid;
	config->user = strdup(user->pw_name);
	return config->user ? 0 : oom_error();
}

int opt_gid(struct config *config, const struct mount_option *option, const char *value)
{
	const struct group *group;

	if (read_id(value, &config->gid))
		return 0;
	group = getgrnam(value);
	if (!group)
		return option_error(option, value,
				    "is no group of this machine: give a name or a number");
	config->gid = group->gr_gid;
	return 0;
}

int opt_umask(struct config *config, const struct mount_option *option, const char *value)
{
	(void)option;
	config->umask = (mode_t)strtoul(value, NULL, 8);
	return 0;
}
