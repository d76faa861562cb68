/*
 * Staging: new files under temporary names, kept here until they are renamed. So programs that
 * write aside and rename work at services that cannot rename, with one upload.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>

#include "file.h"
#include "fs_internal.h"
#include "sstorefs/log.h"
#include "sstorefs/name.h"
#include "staging.h"
#include "value.h"

#define STAGED_MAX 64 /* files at once */
#define STAGED_AGE_MAX                                                                             \
	(15 * 60 * 1000) /* milliseconds that one may lie here with nobody holding it */

/* The way in which a file must be created for its name to count as a temporary one, from the
 * loosest to the strictest. */
enum way {
	ANYHOW,
	EXCLUSIVELY, /* O_EXCL: so cp creates, too */
	AS_MKSTEMP,  /* O_EXCL and O_RDWR: hardly a way to create a file that a user has named */
	NEVER,
};

/*
 * Names of temporary files. What is staged is not stored, so a secret's name must never count as
 * one: where a secret can be called so, only what no secret is called counts however it is created,
 * and what might be one only where mkstemp and its like create it. A name that no secret can have
 * at the service could not be stored in any case; it counts where it looks temporary and not just
 * mistaken (`my.secret`). All other new names are stored.
 */
static const struct {
	const char *pattern;
	unsigned digits; /* so many last characters at least must be digits */
	enum way taken;	 /* where the service takes the name for a secret */
	enum way else_;	 /* where it doesn't */
} temporary_names[] = {
	{"*.tmp", 0, EXCLUSIVELY, ANYHOW},
	{"*.tmp[-._0-9]*", 0, EXCLUSIVELY, ANYHOW},
	{"*.temp", 0, EXCLUSIVELY, ANYHOW},
	{"tmp????????", 0, EXCLUSIVELY, ANYHOW}, /* Python's tempfile */
	{"tmp.*", 0, EXCLUSIVELY, ANYHOW},	 /* mktemp(1) */
	{"tmp-*", 0, AS_MKSTEMP, EXCLUSIVELY},	 /* npm's tmp */
	{".tmp*", 0, EXCLUSIVELY,
	 ANYHOW},			/* Rust's tempfile; Docker's, Kubernetes' atomic writers */
	{"*~", 0, EXCLUSIVELY, ANYHOW}, /* backups of editors */
	{".*.sw[a-z]", 0, EXCLUSIVELY, ANYHOW}, /* vim's swap file */
	{".*.swpx", 0, EXCLUSIVELY, ANYHOW},
	{"*.sw[a-z]", 0, AS_MKSTEMP, AS_MKSTEMP},
	{".#*", 0, EXCLUSIVELY, ANYHOW}, /* systemd, Emacs */
	{"#*#", 0, EXCLUSIVELY, ANYHOW}, /* Emacs */
	{"*.part", 0, EXCLUSIVELY, ANYHOW},
	{"*.partial", 0, EXCLUSIVELY, ANYHOW},
	{"*.crdownload", 0, EXCLUSIVELY, ANYHOW},
	{".in.*", 0, EXCLUSIVELY, ANYHOW}, /* lftp */
	{".unison.*", 0, EXCLUSIVELY, ANYHOW},
	{".goutputstream-*", 0, EXCLUSIVELY, ANYHOW}, /* GIO */
	{".ansible_tmp*", 0, EXCLUSIVELY, ANYHOW},
	{"*.dpkg-new", 0, EXCLUSIVELY, ANYHOW},
	{"*.dpkg-tmp", 0, EXCLUSIVELY, ANYHOW},
	{"*.new", 0, NEVER, ANYHOW},
	{"*.", 6, AS_MKSTEMP, ANYHOW},	  /* npm's write-file-atomic */
	{"*", 9, AS_MKSTEMP, AS_MKSTEMP}, /* Go's os.CreateTemp */
	{"*.??????", 0, AS_MKSTEMP,
	 AS_MKSTEMP}, /* mkstemp("NAME.XXXXXX"), .NAME.XXXXXX: rsync, GLib, many others */
	{"*.????????", 0, AS_MKSTEMP, AS_MKSTEMP}, /* Python's tempfile with a prefix */
	{"*.??????????", 0, AS_MKSTEMP, AS_MKSTEMP},
	{"*[12][0-9][0-9][0-9][01][0-9][0-3][0-9]-[0-9]*-*", 0, AS_MKSTEMP,
	 AS_MKSTEMP},				  /* Ruby's Tempfile */
	{"sed??????", 0, AS_MKSTEMP, AS_MKSTEMP}, /* sed -i */
	{"*.lock", 0, AS_MKSTEMP, AS_MKSTEMP},	  /* git */
	{".*", 0, NEVER, AS_MKSTEMP},
};

/* Whether `name` ends in as many digits at least; behind them stands what the pattern has before. A
 * date (20260504) is none. */
static bool matches(size_t entry, const char *name)
{
	const char *pattern = temporary_names[entry].pattern;
	unsigned wanted = temporary_names[entry].digits;
	char front[NAME_LENGTH_MAX + 1];
	size_t length = strlen(name), digits = 0;

	if (!wanted)
		return !fnmatch(pattern, name, 0);
	while (digits < length && isdigit((unsigned char)name[length - digits - 1]))
		digits++;
	if (digits < wanted || length > NAME_LENGTH_MAX ||
	    (digits == 8 && !strncmp(name + length - digits, "20", 2)))
		return false;
	memcpy(front, name, length - digits);
	front[length - digits] = '\0';
	return !fnmatch(pattern, front, 0);
}

static bool can_be_a_secrets(const struct fs *fs, const char *name)
{
	return name_is_canonical(name) && fs->provider->name_is_valid(name);
}

/* The loosest way in which `name` must be created to count as a temporary one. */
static enum way way_of(const char *name, bool can_be_a_secret)
{
	enum way loosest = NEVER;

	for (size_t i = 0; i < sizeof temporary_names / sizeof *temporary_names; i++) {
		enum way way =
			can_be_a_secret ? temporary_names[i].taken : temporary_names[i].else_;

		if (way < loosest && matches(i, name))
			loosest = way;
	}
	return loosest;
}

bool staging_applies(const struct fs *fs, const char *name, int flags)
{
	enum way way = ANYHOW;

	if ((flags & O_ACCMODE) == O_RDONLY)
		return false;
	if (flags & O_EXCL)
		way = (flags & O_ACCMODE) == O_RDWR ? AS_MKSTEMP : EXCLUSIVELY;
	return way_of(name, can_be_a_secrets(fs, name)) <= way;
}

bool staging_keeps(const struct fs *fs, const char *name)
{
	bool can_be_a_secret = can_be_a_secrets(fs, name);

	return way_of(name, can_be_a_secret) <= (can_be_a_secret ? EXCLUSIVELY : ANYHOW);
}

bool staging_looks_temporary(const char *name)
{
	return way_of(name, true) < NEVER || way_of(name, false) < NEVER;
}

/* Its writer was told that all went well: so this is said wherever somebody may look. */
static void drop_old(struct file *file)
{
	struct failure failure = {0};

	if (!staging_has_value(file)) {
		file_unlink(file);
		return;
	}
	failure_set(
		&failure, ETIMEDOUT,
		"this temporary file was not renamed within %d minutes: it is wiped, and nothing was stored",
		STAGED_AGE_MAX / 60000);
	error_log_report(file->fs->options.error_log, "rename", store_name(file->store), file->name,
			 &failure);
	file_unlink(file);
}

static void wipe_old(struct timer *timer)
{
	struct fs *fs = container_of(timer, struct fs, staging_timer);
	struct file *file = fs->first_file, *next;
	uint64_t now = loop_now(fs->loop), first = CLOCK_NEVER;

	for (; file; file = next) {
		uint64_t end;

		next = file->next;
		if (file->is_directory && !staging_directory_is_empty(file))
			file->staged_at = now;
		end = file->staged_at + STAGED_AGE_MAX;
		if (!file->staged || file->handles)
			continue;
		if (end <= now) {
			drop_old(file);
		} else if (end < first) {
			first = end;
		}
	}
	if (first != CLOCK_NEVER)
		timer_start(fs->loop, &fs->staging_timer, first);
}

bool staging_is_full(const struct fs *fs)
{
	return fs->staged >= STAGED_MAX;
}

int staging_begin(struct file *file)
{
	struct fs *fs = file->fs;

	if (staging_is_full(fs)) {
		struct failure failure = {0};

		failure_set(&failure, ENOBUFS,
			    "%d temporary files wait to be renamed: rename or remove some of them",
			    STAGED_MAX);
		error_log_report(fs->options.error_log, "open", store_name(file->store), file->name,
				 &failure);
		return ENOBUFS;
	}
	file->staged = value_new(fs->options.pool);
	if (!file->staged)
		return ENOMEM;
	fs->staged++;
	staging_refresh_age(file);
	return 0;
}

void staging_refresh_age(struct file *file)
{
	struct fs *fs = file->fs;

	file->staged_at = loop_now(fs->loop);
	fs->staging_timer.expired = wipe_old;
	if (!fs->staging_timer.position)
		timer_start(fs->loop, &fs->staging_timer, file->staged_at + STAGED_AGE_MAX);
}

void staging_discard_all(struct fs *fs)
{
	while (fs->staged) {
		struct file *file = fs->first_file;

		while (!file->staged)
			file = file->next;
		file_unlink(file);
	}
}

const char *staging_name_in(const struct file *file, const struct file *directory)
{
	const char *slash = strchr(file->name, '/');
	size_t length = directory ? strlen(directory->name) : 0;

	if (!directory)
		return slash ? NULL : file->name;
	if (file->store != directory->store || file->unlinked || !slash ||
	    (size_t)(slash - file->name) != length ||
	    memcmp(file->name, directory->name, length) != 0)
		return NULL;
	return slash + 1;
}

bool staging_directory_is_empty(const struct file *directory)
{
	for (const struct file *file = directory->fs->first_file; file; file = file->next)
		if (staging_name_in(file, directory))
			return false;
	return true;
}

bool staging_has_value(const struct file *file)
{
	return file->staged && !file->is_directory && !file->target;
}
