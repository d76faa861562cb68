/* Checks that need no call. As much as possible is refused at open, whose error every shell
 * reports. */
#include <fcntl.h>

#include "fs_internal.h"
#include "sstorefs/quota.h"

static const struct {
	int error;
	const char *message;
} refusals[] = {
#define REFUSAL(name, error, message) [REFUSAL_##name] = {error, message},
#include "refusals.h"
};

/* Returns why the service is known to fail: it refuses the token, is down, or has sent an invalid
 * client key. NULL: it is not known to. */
static const struct failure *service_failure(const struct fs *fs, const struct store *store)
{
	const struct failure *failure = catalog_unauthorized(fs->catalog);

	if (!failure)
		failure = catalog_down_for_changes(fs->catalog);
	return failure || !store ? failure : catalog_key_failure(store);
}

/* Returns what is wrong and what to do. The service may say better which names it takes. */
static const char *message_of(const struct fs *fs, enum refusal refusal)
{
	const char *rule = refusal == REFUSAL_NAME	   ? fs->provider->name_rule
			   : refusal == REFUSAL_STORE_NAME ? fs->provider->store_name_rule
							   : NULL;

	return rule ? rule : refusals[refusal].message;
}

int refusal_record(struct fs *fs, const char *operation, const struct store *store,
		   const char *name, enum refusal refusal)
{
	const struct failure *known =
		refusal == REFUSAL_SERVICE ? service_failure(fs, store) : NULL;
	const char *directory = store ? store_name(store) : NULL;
	struct failure failure = {0};

	if (!refusals[refusal].message)
		return refusals[refusal].error;
	failure_set(&failure, refusals[refusal].error, "%s", message_of(fs, refusal));
	if (known)
		failure = *known;
	if (!error_log_repeats(fs->options.error_log, operation, directory, name, &failure))
		error_log_report(fs->options.error_log, operation, directory, name, &failure);
	else /* log.c counts repeated lines by itself */
		log_event(LOG_WARNING, &(const struct log_event){.operation = operation,
								 .store = directory,
								 .name = name,
								 .failure = &failure});
	return failure.errnum;
}

bool refusal_reply(fuse_req_t request, const char *operation, const struct store *store,
		   const char *name, enum refusal refusal)
{
	int error = refusal_record(fuse_req_userdata(request), operation, store, name, refusal);

	if (error)
		fuse_reply_err(request, error);
	return error != 0;
}

bool name_is_storable(const struct fs *fs, const char *name)
{
	return name_is_canonical(name) && fs->provider->name_is_valid(name);
}

enum refusal precheck_modify(const struct fs *fs)
{
	if (fs->stopping)
		return REFUSAL_STOPPING;
	return fs->config->read_only ? REFUSAL_READ_ONLY : REFUSAL_NONE;
}

enum refusal precheck_create(const struct fs *fs)
{
	enum refusal refusal = precheck_modify(fs);

	return !refusal && fs->config->nocreate ? REFUSAL_REPLACES_ONLY : refusal;
}

enum refusal precheck_open(struct fs *fs, const struct store *store, const char *name, int flags,
			   bool exists)
{
	enum refusal refusal;

	if ((flags & O_ACCMODE) == O_RDONLY)
		return REFUSAL_READS;
	refusal = exists ? precheck_modify(fs) : precheck_create(fs);
	if (refusal)
		return refusal;
	if (exists && (flags & O_APPEND))
		return REFUSAL_APPENDS;
	if (!exists && !name_is_storable(fs, name))
		return REFUSAL_NAME;
	if (service_failure(fs, store))
		return REFUSAL_SERVICE;
	return !exists && quota_is_exhausted(fs->catalog, store) ? REFUSAL_QUOTA : REFUSAL_NONE;
}
