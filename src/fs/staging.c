/*
 * Staging: new files under temporary names, which live here until they are renamed to what they are (DESIGN 3, rule 14). So programs that write aside and rename
 * work at services that can't rename.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>

#include "fs.h"
#include "sstorefs/log.h"

#define STAGED_MAX     64		/* files at once */
#define STAGED_AGE_MAX (15 * 60 * 1000) /* milliseconds that one may lie here with nobody holding it */

/* Random letters as mkstemp makes them, and not a word such as `secret`: a digit, or both cases. */
static bool is_random(const char *text)
{
	bool digit = false, upper = false, lower = false;

	for (; *text; text++) {
		if (!isalnum((unsigned char)*text))
			return false;
		digit |= isdigit((unsigned char)*text) != 0;
		upper |= isupper((unsigned char)*text) != 0;
		lower |= islower((unsigned char)*text) != 0;
	}
	return digit || (upper && lower);
}

static const struct {
	const char *pattern;
	size_t random; /* so many last characters must be random ones */
	bool certain;  /* no secret is called so */
} temporary_names[] = {
	{".*", 0, false},	  /* rsync, GNOME's .goutputstream-…; and `.env` */
	{"tmp????????", 0, true}, /* Python's tempfile */
	{"tmp.*", 0, true},	  /* mktemp(1) */
	{"sed??????", 0, false},  /* sed -i */
	{"*~", 0, true},	  /* backups of editors */
	{"*.tmp", 0, true},
	{"*.tmp[-._0-9]*", 0, true},
	{"*.temp", 0, true},
	{"*.sw[a-z]", 0, true}, /* vim's swap file */
	{"*.swpx", 0, true},
	{"*.part", 0, false},
	{"*.partial", 0, false},
	{"*.??????", 6, false}, /* mkstemp("NAME.XXXXXX"): GLib, many others */
	{"*-??????", 6, false},
	{"*[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]", 0, false}, /* Go's os.CreateTemp */
};

static bool looks_temporary(const char *name, bool certainly)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < sizeof temporary_names / sizeof *temporary_names; i++) {
		size_t random = temporary_names[i].random;

		if (certainly && !temporary_names[i].certain)
			continue;
		if (!fnmatch(temporary_names[i].pattern, name, 0) &&
		    (!random || is_random(name + length - random)))
			return true;
	}
	return false;
}

bool staging_wants(const char *name, int flags)
{
	return (flags & O_ACCMODE) == O_RDWR && (flags & O_EXCL) && looks_temporary(name, false);
}

bool staging_is_temporary(const char *name)
{
	return looks_temporary(name, true);
}

static void wipe_old(struct timer *timer)
{
	struct fs *fs = container_of(timer, struct fs, staging_timer);
	struct file *file = fs->first_file, *next;
	uint64_t now = loop_now(fs->loop), first = CLOCK_NEVER;

	for (; file; file = next) {
		uint64_t end = file->staged_at + STAGED_AGE_MAX;

		next = file->next;
		if (!file->staged || file->handles)
			continue;
		if (end <= now) {
			log_line(LOG_WARNING, "%s/%s: nobody renamed this temporary file: it is wiped",
				 store_name(file->store), file->name);
			file_unlink(file);
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
		journal_record(fs->options.journal, "open", store_name(file->store), file->name, &failure);
		return ENOBUFS;
	}
	file->staged = value_new(fs->options.pool);
	if (!file->staged)
		return ENOMEM;
	fs->staged++;
	staging_touch(file);
	return 0;
}

void staging_touch(struct file *file)
{
	struct fs *fs = file->fs;

	file->staged_at = loop_now(fs->loop);
	fs->staging_timer.expired = wipe_old;
	if (!fs->staging_timer.position)
		timer_start(fs->loop, &fs->staging_timer, file->staged_at + STAGED_AGE_MAX);
}

void staging_forget_all(struct fs *fs)
{
	while (fs->staged) {
		struct file *file = fs->first_file;

		while (!file->staged)
			file = file->next;
		file_unlink(file);
	}
}

void staging_end(struct file *file)
{
	if (!file->staged)
		return;
	value_release(file->staged);
	file->staged = NULL;
	file->fs->staged--;
}
