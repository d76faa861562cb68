/*
 * Staging: new files under temporary names are held back until they are renamed. So programs that
 * write a temporary file and rename it work at services that cannot rename, with one upload.
 */
#include <ctype.h>
#include <fcntl.h>
#include <fnmatch.h>

#include "fs_internal.h"
#include "staging.h"

#define STAGED_MAX 64 /* files at once */
#define STAGED_AGE_MAX                                                                             \
	(15 * 60 * 1000) /* milliseconds that one is kept while no process has it open */

/* Ways to create a file that make its name count as temporary; the loosest comes first. */
enum creation {
	ANYHOW,
	EXCLUSIVELY, /* O_EXCL, as cp does too */
	AS_MKSTEMP,  /* O_EXCL and O_RDWR: programs rarely create a file so that a user has named */
	NEVER,
};

/*
 * Patterns of temporary names. A staged value is not stored, so the name of a secret must never
 * match: where the service takes the name, a pattern applies only to files that are created as
 * programs create temporary ones. A name that the service does not take could not be stored anyway;
 * it is staged if it looks temporary and not just mistaken (`my.secret`). All other new names are
 * stored.
 */
static const struct {
	const char *pattern;
	unsigned digits;     /* how many of the last characters must be digits */
	enum creation valid; /* where the service takes the name for a secret */
	enum creation other; /* where it does not */
} temporary_names[] = {
	{"*.tmp", 0, EXCLUSIVELY, ANYHOW},
	{"*.tmp[-._0-9]*", 0, EXCLUSIVELY, ANYHOW},
	/* CMake's configure_file() */
	{"*.tmp[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]", 0, NEVER, ANYHOW},
	{"*.temp", 0, EXCLUSIVELY, ANYHOW},
	{"tmp????????", 0, EXCLUSIVELY, ANYHOW}, /* Python's tempfile */
	{"tmp.*", 0, EXCLUSIVELY, ANYHOW},	 /* mktemp(1) */
	{"tmp-*", 0, AS_MKSTEMP, EXCLUSIVELY},	 /* npm's tmp */
	{".tmp*", 0, EXCLUSIVELY, ANYHOW},	 /* Rust's tempfile; Docker, Kubernetes */
	{".temp*", 0, EXCLUSIVELY, ANYHOW},	 /* Perl's File::Slurp */
	{"*~", 0, EXCLUSIVELY, ANYHOW},		 /* backups of editors */
	{".*.sw[a-z]", 0, EXCLUSIVELY, ANYHOW},	 /* vim's swap file */
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
	{"*.", 6, AS_MKSTEMP, ANYHOW},		   /* npm's write-file-atomic */
	{"*", 9, AS_MKSTEMP, AS_MKSTEMP},	   /* Go's os.CreateTemp */
	{"*.??????", 0, AS_MKSTEMP, AS_MKSTEMP},   /* mkstemp("NAME.XXXXXX"): rsync, GLib */
	{"*.????????", 0, AS_MKSTEMP, AS_MKSTEMP}, /* Python's tempfile with a prefix */
	{"*.??????????", 0, AS_MKSTEMP, AS_MKSTEMP},
	/* Ruby's Tempfile */
	{"*[12][0-9][0-9][0-9][01][0-9][0-3][0-9]-[0-9]*-*", 0, AS_MKSTEMP, AS_MKSTEMP},
	{"sed??????", 0, AS_MKSTEMP, AS_MKSTEMP}, /* sed -i */
	{"*.lock", 0, AS_MKSTEMP, AS_MKSTEMP},	  /* git */
	{".*", 0, NEVER, AS_MKSTEMP},
};

/* True if `name` matches the pattern, and behind it ends in enough digits. A date (20260504) does
 * not count as digits. */
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

/* Returns the loosest creation that makes `name` count as temporary. */
static enum creation loosest_creation(const char *name, bool is_valid)
{
	enum creation loosest = NEVER;

	for (size_t i = 0; i < sizeof temporary_names / sizeof *temporary_names; i++) {
		enum creation creation =
			is_valid ? temporary_names[i].valid : temporary_names[i].other;

		if (creation < loosest && matches(i, name))
			loosest = creation;
	}
	return loosest;
}

bool staging_applies(const struct fs *fs, const char *name, int flags)
{
	enum creation creation = ANYHOW;

	if ((flags & O_ACCMODE) == O_RDONLY)
		return false;
	if (flags & O_EXCL)
		creation = (flags & O_ACCMODE) == O_RDWR ? AS_MKSTEMP : EXCLUSIVELY;
	return loosest_creation(name, name_is_storable(fs, name)) <= creation;
}

bool staging_keeps(const struct fs *fs, const char *name)
{
	bool is_valid = name_is_storable(fs, name);

	return loosest_creation(name, is_valid) <= (is_valid ? EXCLUSIVELY : ANYHOW);
}

bool staging_looks_temporary(const char *name)
{
	return loosest_creation(name, true) < NEVER || loosest_creation(name, false) < NEVER;
}

/* Unlinks a staged file that is too old. Its writer saw close(2) succeed, so this is recorded. */
static void drop_expired(struct file *file)
{
	struct failure failure = {0};

	failure_set(
		&failure, ETIMEDOUT,
		"this temporary file was not renamed within %d minutes: it is wiped, and nothing was stored",
		STAGED_AGE_MAX / 60000);
	if (staging_has_value(file)) {
		fs_report(file->fs, "rename", file->store, file->name, &failure);
		file->fs->writes.discarded[DISCARD_NOT_RENAMED]++;
	}
	file_unlink(file);
}

static void wipe_expired(struct timer *timer)
{
	struct fs *fs = container_of(timer, struct fs, staging_timer);
	struct file *file, *next;
	uint64_t now = loop_now(fs->loop), first = CLOCK_NEVER;

	for (file = TAILQ_FIRST(&fs->files); file; file = next) {
		uint64_t end;

		next = TAILQ_NEXT(file, link);
		if (file->uploads || (file->is_directory && !staging_directory_is_empty(file)))
			file->staged_at = now;
		end = file->staged_at + STAGED_AGE_MAX;
		if (!file->staged || !LIST_EMPTY(&file->handles))
			continue;
		if (end <= now)
			drop_expired(file);
		else if (end < first)
			first = end;
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
		fs_report(fs, "open", file->store, file->name, &failure);
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
	fs->staging_timer.expired = wipe_expired;
	if (!fs->staging_timer.position)
		timer_start(fs->loop, &fs->staging_timer, file->staged_at + STAGED_AGE_MAX);
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
	const struct file *file;

	TAILQ_FOREACH (file, &directory->fs->files, link)
		if (staging_name_in(file, directory))
			return false;
	return true;
}

bool staging_has_value(const struct file *file)
{
	return file->staged && !file->is_directory && !file->target;
}
