/*
 * What can be refused when a file is opened is refused there, because that is where every shell reports it (DESIGN 3, rule 1).
 */
#include <errno.h>
#include <fcntl.h>

#include "fs.h"
#include "sstorefs/name.h"
#include "sstorefs/quota.h"

int refusal_of_change(struct fs *fs)
{
	if (fs->stopping)
		return ESHUTDOWN;
	return fs->config->read_only ? EROFS : 0;
}

/* The service is known to refuse the token, or to be down: said now, and once more in `errors`, rather than at the end. */
static int refusal_of_service(struct fs *fs, const struct store *store, const char *name)
{
	const struct failure *failure = net_refused(fs->options.net);

	if (!failure)
		failure = net_down(fs->options.net);
	if (!failure)
		failure = catalog_key_failure(fs->catalog);
	if (!failure)
		return 0;
	journal_record(fs->options.journal, "open", store_name(store), name, failure);
	return failure->error;
}

/* A new secret would be one too many, as far as is known. */
static int refusal_of_quota(struct fs *fs, const struct store *store, const char *name)
{
	struct failure failure = {0};

	if (!quota_is_used_up(fs->catalog, store))
		return 0;
	failure_set(
		&failure, EDQUOT,
		"the quota of secrets is used up: delete one, or write to .sstorefs/refresh if there is room again");
	journal_record(fs->options.journal, "open", store_name(store), name, &failure);
	return failure.error;
}

int refusal_of_open(struct fs *fs, const struct store *store, const char *name, int flags, bool exists)
{
	int error;

	if ((flags & O_ACCMODE) == O_RDONLY)
		return EACCES;
	error = refusal_of_change(fs);
	if (error)
		return error;
	if (exists && (flags & O_APPEND))
		return EOPNOTSUPP;
	if (!exists && fs->config->nocreate)
		return EPERM;
	if (!exists && (!name_is_canonical(name) || !fs->provider->name_is_valid(name)))
		return EINVAL;
	error = refusal_of_service(fs, store, name);
	return error || exists ? error : refusal_of_quota(fs, store, name);
}
