/*
 * Secrets that this mount has written: their size and times, which are shown as long as the service
 * has that version of them, and which names `sync NAME` can open. Also shows the size of values
 * that are still to be stored.
 */
#include "digest.h"
#include "fs_internal.h"

#define WRITTEN_MAX 4096	     /* entries of less than 200 bytes each */
#define SYNC_MS	    (10 * 60 * 1000) /* for which a written name can be opened for fsync */

struct written_entry {
	uint32_t entry_id; /* the first member: the key */
	uint32_t length;   /* bytes that were written: a newline that was not stored counts */
	struct timespec accessed, modified;
	char digest[64]; /* the version that length and times belong to; "": they are not known */
	struct time_span stored_in; /* without a digest: they belong to the version that is seen
				       next, if it is from then */
	uint64_t sync_until;	    /* CLOCK_BOOTTIME, milliseconds */
	TAILQ_ENTRY(written_entry) link;
};

/* --- the table */

static struct written_entry *find(const struct written *written, uint32_t entry_id)
{
	return set_find(&written->by_entry_id, &entry_id);
}

static void drop(struct written *written, struct written_entry *entry)
{
	set_remove(&written->by_entry_id, entry);
	TAILQ_REMOVE(&written->by_age, entry, link);
	written->count--;
	free(entry);
}

void written_finish(struct written *written)
{
	while (!TAILQ_EMPTY(&written->by_age))
		drop(written, TAILQ_FIRST(&written->by_age));
}

/* Returns the entry of `entry_id` as the newest one, made where there is none; NULL when memory ran
 * out. May drop the oldest. */
static struct written_entry *renew(struct written *written, uint32_t entry_id)
{
	struct written_entry *entry = find(written, entry_id);

	if (entry) {
		TAILQ_REMOVE(&written->by_age, entry, link);
		TAILQ_INSERT_TAIL(&written->by_age, entry, link);
		return entry;
	}
	entry = calloc(1, sizeof *entry);
	if (!entry)
		return NULL;
	entry->entry_id = entry_id;
	if (!set_add(&written->by_entry_id, entry)) {
		free(entry);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&written->by_age, entry, link);
	if (++written->count > WRITTEN_MAX)
		drop(written, TAILQ_FIRST(&written->by_age));
	return entry;
}

/* --- names that can be opened for fsync */

void written_note(struct fs *fs, uint32_t entry_id)
{
	struct written_entry *entry = renew(&fs->written, entry_id);

	if (entry) /* else `sync NAME` opens for writing, as it does after ten minutes */
		entry->sync_until = loop_now(fs->loop) + SYNC_MS;
}

bool written_lately(const struct fs *fs, const struct inode *inode)
{
	const struct written_entry *entry;
	const struct handle *handle;

	if (inode->file)
		LIST_FOREACH (handle, &inode->file->handles, link)
			if (handle->wrote)
				return true;
	entry = find(&fs->written, inode->file ? inode->file->entry_id : inode->record->entry_id);
	return entry && entry->sync_until > loop_now(fs->loop);
}

/* --- length and times of the stored version */

static void set_version(struct written_entry *entry, const struct record *record)
{
	struct entry_text text;

	snprintf(entry->digest, sizeof entry->digest, "%s", record_digest(record, &text));
}

/* Returns the entry of the version `record`; NULL where the service has another, or may have. */
static struct written_entry *find_version(struct fs *fs, const struct record *record)
{
	struct written_entry *entry =
		record && !record->invalid ? find(&fs->written, record->entry_id) : NULL;
	struct entry_text text;

	if (entry && !entry->digest[0] &&
	    time_span_has(&entry->stored_in, record_changed_at(record)))
		set_version(entry, record);
	if (!entry || !entry->digest[0])
		return NULL;
	return strncmp(record_digest(record, &text), entry->digest, sizeof entry->digest - 1)
		       ? NULL
		       : entry;
}

bool written_has(struct fs *fs, const struct record *record)
{
	return find_version(fs, record) != NULL;
}

static struct timespec timespec_of(wall_time_ns time)
{
	return (struct timespec){.tv_sec = time / NANOSECONDS, .tv_nsec = time % NANOSECONDS};
}

static struct timespec modified_at(const struct file *file)
{
	return file->times.modified_is_set ? file->times.modified : timespec_of(file->modified_at);
}

static struct timespec accessed_at(const struct file *file)
{
	return file->times.accessed_is_set ? file->times.accessed : modified_at(file);
}

/* Notes the length and times of a secret, whose version is now one that this mount has written:
 * `record`, or NULL with what `stored_in` says. */
static void keep(struct fs *fs, uint32_t entry_id, const struct record *record,
		 const struct time_span *stored_in, uint32_t length, struct timespec modified,
		 struct timespec accessed)
{
	struct written_entry *entry = renew(&fs->written, entry_id);

	if (!entry)
		return;
	entry->length = length;
	entry->modified = modified;
	entry->accessed = accessed;
	entry->stored_in = stored_in ? *stored_in : (struct time_span){.to = TIME_UNKNOWN};
	entry->digest[0] = '\0';
	if (record)
		set_version(entry, record);
}

void written_keep(struct fs *fs, const struct file *file, uint32_t entry_id,
		  const struct record *record, const struct time_span *stored_in, size_t length)
{
	keep(fs, entry_id, record, stored_in, (uint32_t)length, modified_at(file),
	     accessed_at(file));
}

void written_follow(struct fs *fs, uint32_t entry_id, const struct record *record,
		    const struct time_span *stored_in)
{
	const struct written_entry *known = find(&fs->written, entry_id);

	if (known && (!record || known->digest[0]))
		keep(fs, record ? record->entry_id : entry_id, record, stored_in, known->length,
		     known->modified, known->accessed);
}

void written_forget(struct fs *fs, uint32_t entry_id)
{
	struct written_entry *entry = find(&fs->written, entry_id);

	if (!entry)
		return;
	entry->digest[0] = '\0';
	entry->stored_in.to = TIME_UNKNOWN;
}

/* --- what is shown */

/* True if a value of the secret is still to be stored. Sets `length` to its bytes so far. */
static bool is_unstored(const struct inode *inode, size_t *length)
{
	const struct file *file = inode->file;
	const struct handle *handle;

	if (!file)
		return false;
	if (file->staged) {
		*length = file->staged->bytes.length;
		return true;
	}
	LIST_FOREACH (handle, &file->handles, link)
		if (handle->dirty) {
			*length = handle_length(handle);
			return true;
		}
	if (file->uploads) {
		*length = file->sent;
		return true;
	}
	*length = LIST_EMPTY(&file->handles) ? 0 : handle_length(LIST_FIRST(&file->handles));
	return !inode->record;
}

static bool shows_length(const struct config *config)
{
	return config->sizes == SIZES_SHOWN ||
	       (config->sizes == SIZES_OF_OWN && !config->allow_other);
}

void written_show(struct fs *fs, const struct inode *inode, struct stat *attributes)
{
	const struct written_entry *entry;
	size_t length = 0;

	if (is_unstored(inode, &length)) {
		attributes->st_mtim = modified_at(inode->file);
		attributes->st_atim = accessed_at(inode->file);
	} else if ((entry = find_version(fs, inode->record))) {
		length = entry->length;
		attributes->st_mtim = entry->modified;
		attributes->st_atim = entry->accessed;
	} else {
		length = 0;
	}
	/* `find -empty -delete` must not take a secret for an empty file. */
	if (!length || !shows_length(fs->config))
		length = 1;
	attributes->st_size = (off_t)length;
	attributes->st_blocks = (blkcnt_t)((length + 511) / 512);
}

static void set(struct timespec *time, const struct timespec *wanted, int what, int now)
{
	*time = what & now ? timespec_of(clock_files()) : *wanted;
}

void written_set_times(struct fs *fs, const struct inode *inode, const struct stat *wanted,
		       int what)
{
	struct timespec *accessed, *modified;
	struct written_entry *entry;
	size_t length;

	if (!(what & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)))
		return;
	if (is_unstored(inode, &length)) {
		struct set_times *times = &inode->file->times;

		times->accessed_is_set |= (what & FUSE_SET_ATTR_ATIME) != 0;
		times->modified_is_set |= (what & FUSE_SET_ATTR_MTIME) != 0;
		accessed = &times->accessed;
		modified = &times->modified;
	} else {
		entry = find_version(fs, inode->record);
		if (!entry)
			return;
		accessed = &entry->accessed;
		modified = &entry->modified;
	}
	if (what & FUSE_SET_ATTR_ATIME)
		set(accessed, &wanted->st_atim, what, FUSE_SET_ATTR_ATIME_NOW);
	if (what & FUSE_SET_ATTR_MTIME)
		set(modified, &wanted->st_mtim, what, FUSE_SET_ATTR_MTIME_NOW);
}
