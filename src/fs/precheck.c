/* Checks that need no call. As much as possible is refused at open, whose error every shell
 * reports. */
#include <errno.h>
#include <fcntl.h>

#include "fs_internal.h"
#include "precheck.h"
#include "sstorefs/error_log.h"
#include "sstorefs/log.h"
#include "sstorefs/quota.h"

static const struct {
	int error;
	const char *message; /* what is wrong, and what to do; NULL: it is not recorded */
} refusals[] = {
	[REFUSAL_NONE] = {0, NULL},
	[REFUSAL_ABSENT] = {ENOENT, NULL},
	[REFUSAL_EXISTS] = {EEXIST, NULL},
	[REFUSAL_READS] = {EACCES, NULL},
	[REFUSAL_FOREIGN_ATTRIBUTE] = {EOPNOTSUPP, NULL},
	[REFUSAL_STOPPING] = {ESHUTDOWN,
			      "the daemon is about to end: try again once it is mounted anew"},
	[REFUSAL_READ_ONLY] = {EROFS, "this mount is read-only: mount it without the option ro"},
	[REFUSAL_REPLACES_ONLY] =
		{EPERM,
		 "this mount only replaces the values of existing secrets: mount it without the option nocreate"},
	[REFUSAL_CONTROL] =
		{EPERM,
		 "nothing can be made, renamed or removed in .sstorefs: take a name elsewhere"},
	[REFUSAL_HOLDS_STORES] =
		{EPERM,
		 "this level holds stores: write into STORE/NAME, or make a store with mkdir"},
	[REFUSAL_HOLDS_SECRETS] =
		{EPERM,
		 "a store holds secrets and no directories: make a store at the root of a mount of all stores"},
	[REFUSAL_NAME] = {EINVAL, "the service takes no such name: use letters, digits, - and _"},
	[REFUSAL_STORE_NAME] =
		{EINVAL, "the service takes no store of such a name: use letters, digits, - and _"},
	[REFUSAL_USER_ID] =
		{EINVAL,
		 "a directory here is the scope of a user: name it usr_ and the letters and digits of its id"},
	[REFUSAL_LONG_NAME] = {ENAMETOOLONG,
			       "the name is longer than 255 bytes: use a shorter one"},
	[REFUSAL_APPENDS] =
		{EOPNOTSUPP,
		 "a stored value can't be read, so nothing can be appended to it: write all of it with > NAME"},
	[REFUSAL_SERVICE] = {EIO, ""}, /* the known failure of the service is recorded instead */
	[REFUSAL_QUOTA] =
		{EDQUOT,
		 "the quota of secrets is used up: delete one, or write to .sstorefs/refresh if there is room again"},
	[REFUSAL_NO_LOCKED_MEMORY] =
		{ENOBUFS,
		 "no locked memory or no descriptor is left for another value: raise RLIMIT_MEMLOCK and RLIMIT_NOFILE (LimitMEMLOCK= and LimitNOFILE= of a unit), or write fewer at once"},
	[REFUSAL_NO_MEMORY] = {ENOMEM, "out of memory: try again"},
	[REFUSAL_TOO_LARGE] =
		{EFBIG,
		 "the value is larger than the service takes: split it, or store a key to it"},
	[REFUSAL_NOT_TEXT] =
		{EILSEQ,
		 "the value is not UTF-8, and this service takes only text: encode it, in base64 for example"},
	[REFUSAL_GROWS] =
		{EINVAL,
		 "the old value is unknown here, so it can't be grown or changed in part: write all of it with > NAME"},
	[REFUSAL_OTHER_OWNER] =
		{EPERM,
		 "only the owner may change permissions and owner: see the mount options uid, gid and umask"},
	[REFUSAL_STAYS] =
		{EPERM,
		 "this directory is always there: delete the secrets that are in it with rm"},
	[REFUSAL_IS_STORE] = {EISDIR, "this is a store: delete it with rmdir once it is empty"},
	[REFUSAL_NOT_EMPTY] =
		{ENOTEMPTY,
		 "secrets of this store are being written, or wait to be renamed: end their writers, or remove them"},
	[REFUSAL_RENAMES_STORE] =
		{EOPNOTSUPP,
		 "a store can't be renamed: make another with mkdir, and write its secrets there"},
	[REFUSAL_RENAMES_STAGED] =
		{EOPNOTSUPP,
		 "only temporary files are moved into or out of a directory for such files, and neither it nor a lock gets another name: write it anew"},
	[REFUSAL_LEAVES_STORE] =
		{EOPNOTSUPP,
		 "a secret can't leave its store: write its value into the other one, and delete it here"},
	[REFUSAL_EXCHANGES] = {EINVAL, "two names can't be exchanged: rename one after the other"},
	[REFUSAL_FAILED] =
		{EINVAL,
		 "a write to this file was refused, so it is not whole: write it again, to its end"},
	[REFUSAL_LINKS] =
		{EOPNOTSUPP,
		 "the service gives no secret a second name: write the value under that name"},
	[REFUSAL_LINKS_UNSTORED] =
		{EOPNOTSUPP,
		 "only a stored secret can have another name, and within its store: write it first"},
	[REFUSAL_SYMLINKS] = {EPERM,
			      "there are no symbolic links here: write the value under that name"},
	[REFUSAL_ODD_FILE] = {EPERM,
			      "pipes, sockets and devices can't be made here: make them elsewhere"},
	[REFUSAL_ATTRIBUTE] =
		{EOPNOTSUPP,
		 "this attribute can't be set here: sstorefs(1), FILES AND ATTRIBUTES, lists those that can"},
	[REFUSAL_ATTRIBUTE_VALUE] =
		{EINVAL,
		 "the attribute can't have this value: sstorefs(1), SERVICES, says what it may be"},
	[REFUSAL_ATTRIBUTE_TEXT] = {EILSEQ, "the attribute is not UTF-8: give it as text"},
	[REFUSAL_LATE_EXPIRY] =
		{EOPNOTSUPP,
		 "an expiry is stored with a value: set it while the file is open and its value not yet stored"},
};

/* Returns why the service is known to fail: it refuses the token, is down, or has sent an invalid
 * client key. NULL: it is not known to. */
static const struct failure *service_failure(const struct fs *fs)
{
	const struct failure *failure = catalog_unauthorized(fs->catalog);

	if (!failure)
		failure = catalog_down(fs->catalog);
	return failure ? failure : catalog_key_failure(fs->catalog);
}

int refusal_record(struct fs *fs, const char *operation, const struct store *store,
		   const char *name, enum refusal refusal)
{
	const struct failure *known = refusal == REFUSAL_SERVICE ? service_failure(fs) : NULL;
	const char *directory = store ? store_name(store) : NULL;
	struct failure failure = {0};

	if (!refusals[refusal].message)
		return refusals[refusal].error;
	failure_set(&failure, refusals[refusal].error, "%s", refusals[refusal].message);
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

void refusal_reply(fuse_req_t request, const char *operation, const struct store *store,
		   const char *name, enum refusal refusal)
{
	fuse_reply_err(request,
		       refusal_record(fuse_req_userdata(request), operation, store, name, refusal));
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
	if (!exists && (!name_is_canonical(name) || !fs->provider->name_is_valid(name)))
		return REFUSAL_NAME;
	if (service_failure(fs))
		return REFUSAL_SERVICE;
	return !exists && quota_is_exhausted(fs->catalog, store) ? REFUSAL_QUOTA : REFUSAL_NONE;
}
