/*
 * Files and handles: the state of a secret that is here and not at the service, while it is open,
 * being uploaded, or its last upload has failed.
 */
#include <assert.h>

#include "fs_internal.h"
#include "staging.h"

#define KEPT_ERRORS_MAX 1000 /* files that are kept only for their failure */

int files_compare_name(const void *left, const void *right)
{
	const struct file *a = left, *b = right;

	if (a->store != b->store)
		return a->store < b->store ? -1 : 1;
	return strcmp(a->name, b->name);
}

struct file *file_of_entry_id(struct fs *fs, uint32_t entry_id)
{
	return set_find(&fs->files_by_entry_id, &entry_id);
}

/* Finds a file by its name. Not inlined: its key takes much of the stack, and LOOKUP rarely comes
 * here. */
static __attribute__((noinline)) struct file *find_by_name(struct fs *fs, const struct store *store,
							   const char *name)
{
	struct file key;

	if (strlen(name) >= sizeof key.name)
		return NULL;
	key.store = (struct store *)(uintptr_t)store;
	strcpy(key.name, name);
	return set_find(&fs->files_by_name, &key);
}

struct file *file_find(struct fs *fs, const struct store *store, const char *name)
{
	return !store || TAILQ_EMPTY(&fs->files) ? NULL : find_by_name(fs, store, name);
}

static void file_free(struct file *file)
{
	struct fs *fs = file->fs;

	if (!file->detached)
		set_remove(&fs->files_by_entry_id, file);
	if (!file->unlinked)
		set_remove(&fs->files_by_name, file);
	TAILQ_REMOVE(&fs->files, file, link);
	staging_end(file);
	pending_attrs_free(&file->pending_attrs);
	store_release(file->store);
	free(file->target);
	free(file);
}

/*
 * Detaches an unlinked but still open file from its inode number: the number is about to be used
 * again for the same secret.
 */
static void detach(struct fs *fs, uint32_t entry_id)
{
	struct file *file = file_of_entry_id(fs, entry_id);

	if (!file || !file->unlinked)
		return;
	set_remove(&fs->files_by_entry_id, file);
	file->detached = true;
}

struct file *file_get_or_create(struct fs *fs, struct store *store, const char *name,
				uint32_t entry_id)
{
	struct file *file = file_find(fs, store, name);

	if (file)
		return file;
	detach(fs, entry_id);
	file = calloc(1, sizeof *file);
	if (!file)
		return NULL;
	file->fs = fs;
	file->store = store_reference(store);
	file->entry_id = entry_id;
	file->modified_at = clock_files();
	snprintf(file->name, sizeof file->name, "%s", name);
	TAILQ_INSERT_TAIL(&fs->files, file, link);
	if (!set_add(&fs->files_by_entry_id, file) || !set_add(&fs->files_by_name, file)) {
		file_free(file);
		return NULL;
	}
	return file;
}

void file_rename(struct file *file, const char *name)
{
	set_remove(&file->fs->files_by_name, file);
	snprintf(file->name, sizeof file->name, "%s", name);
	/* This cannot fail, for set_remove has just freed a node. If it did, the file would be one
	 * without a name: unlinked. */
	file->unlinked = !set_add(&file->fs->files_by_name, file);
	file_put_if_unused(file);
}

void file_unlink(struct file *file)
{
	if (file->unlinked)
		return;
	staging_end(file);
	/* Its open descriptors keep the inode number: what is found under the name from now on is
	 * another file with another number. */
	listing_reassign_id(store_secrets(file->store), file->name, file->entry_id);
	set_remove(&file->fs->files_by_name, file);
	file->unlinked = true;
	file_put_if_unused(file);
}

/* Returns the record of the stored secret, or NULL. Another client may have deleted and created it
 * again since it was opened: then the record has another entry id. */
static const struct record *file_record(const struct file *file)
{
	const struct record *record = catalog_record(file->fs->catalog, file->entry_id);

	if (!record && !file->created && !file->unlinked)
		record = listing_peek_any(store_secrets(file->store), file->name);
	return record;
}

bool file_is_stored(const struct file *file)
{
	return file_record(file) != NULL;
}

/* Evicts the oldest file that is kept only for its error. */
static void evict_oldest(struct fs *fs)
{
	struct file *file;

	TAILQ_FOREACH (file, &fs->files, link)
		if (file->kept_for_error) {
			fs->kept_errors--;
			file_free(file);
			return;
		}
}

/* True if its creation failed after close(2) and no FSYNC has reported it yet (`commit=fsync`). */
static bool file_has_unreported_create_error(const struct file *file)
{
	return file->fs->config->commit == COMMIT_FSYNC && file->created && file->failure.errnum &&
	       !file->reported;
}

/* True if MKNOD made it and its OPEN may still come. */
static bool is_awaited(const struct file *file)
{
	return loop_now(file->fs->loop) < file->awaited_until;
}

bool file_is_visible(const struct file *file)
{
	return file->created && !file->unlinked &&
	       (!LIST_EMPTY(&file->handles) || file->uploads || file->staged || is_awaited(file) ||
		file_has_unreported_create_error(file));
}

void file_put_if_unused(struct file *file)
{
	struct fs *fs = file->fs;
	int error = file->failure.errnum;
	/* A failure is kept where fsync can return it: the secret is there, or another client has
	 * made it, or may make it again after it was deleted under a replacement. */
	bool is_kept = !file->unlinked &&
		       (is_awaited(file) ||
			(error && (file_is_stored(file) || file->unknown || file->is_guess ||
				   error == EEXIST || error == ENOENT ||
				   file_has_unreported_create_error(file))));

	if (!LIST_EMPTY(&file->handles) || file->uploads || !LIST_EMPTY(&file->waits) ||
	    file->staged)
		return;
	if (!is_kept) {
		fs->kept_errors -= file->kept_for_error;
		file_free(file);
		return;
	}
	fs->kept_errors += !file->kept_for_error;
	file->kept_for_error = true;
	if (fs->kept_errors > KEPT_ERRORS_MAX)
		evict_oldest(fs);
}

void file_version(const struct file *file, struct version *version)
{
	const struct record *record = file_record(file);
	struct entry_text text;
	struct entry entry;

	*version = (struct version){0};
	if (!record)
		return;
	record_entry(record, &entry, &text);
	version->modified_at = entry.modified_at;
	if (entry.digest)
		snprintf(version->digest, sizeof version->digest, "%s", entry.digest);
}

void files_free(struct fs *fs)
{
	while (!TAILQ_EMPTY(&fs->files))
		file_free(TAILQ_FIRST(&fs->files));
}

struct handle *handle_new(struct file *file)
{
	struct handle *handle = calloc(1, sizeof *handle);

	if (!handle) {
		file_put_if_unused(file);
		return NULL;
	}
	handle->file = file;
	LIST_INSERT_HEAD(&file->handles, handle, link);
	if (file->kept_for_error) {
		file->kept_for_error = false;
		file->fs->kept_errors--;
	}
	return handle;
}

void handle_wipe(struct handle *handle)
{
	value_release(handle->value);
	handle->value = NULL;
	handle->dirty = false;
}

void handle_free(struct handle *handle)
{
	if (handle->wrote)
		written_note(handle->file->fs, handle->file->entry_id);
	wait_wake_all(&handle->freed);
	handle_wipe(handle);
	process_release(handle->file->fs, handle->opener.process);
	writer_forget(handle->file->fs, handle, WRITER_NONE);
	LIST_REMOVE(handle, link);
	file_put_if_unused(handle->file);
	free(handle);
}

void staging_end(struct file *file)
{
	if (!file->staged)
		return;
	value_release(file->staged);
	file->staged = NULL;
	file->fs->staged--;
}

void pending_attrs_free(struct pending_attrs *attrs)
{
	free(attrs->scopes);
	free(attrs->comment);
	free(attrs->visibility);
	free(attrs->repositories);
	*attrs = (struct pending_attrs){0};
}

#ifndef NDEBUG
static void handle_check(const struct handle *handle)
{
	assert(!handle->failed || (!handle->dirty && !handle->value));
	assert(!handle->dirty || handle->value);
	assert(handle->writer.kind == WRITER_ONE || !handle->writer.process);
}

static void file_check(const struct file *file)
{
	const struct handle *handle;

	assert(!file->unlinked || !file->staged);
	assert(!file->detached || file->unlinked);
	assert((!file->is_directory && !file->target) || file->staged || file->unlinked);
	assert(!file->kept_for_error || (LIST_EMPTY(&file->handles) && !file->uploads));
	assert(!file->unknown || file->failure.errnum);
	assert(file->last_upload_ended <= file->uploads_started);
	/* Both only search. */
	/* cppcheck-suppress assertWithSideEffect */
	assert(file->unlinked || file_find(file->fs, file->store, file->name) == file);
	/* cppcheck-suppress assertWithSideEffect */
	assert(file->detached || file_of_entry_id(file->fs, file->entry_id) == file);
	LIST_FOREACH (handle, &file->handles, link) {
		assert(handle->file == file);
		handle_check(handle);
	}
}

void files_check(const struct fs *fs)
{
	unsigned staged = 0, kept = 0;
	const struct file *file;

	TAILQ_FOREACH (file, &fs->files, link) {
		file_check(file);
		staged += file->staged != NULL;
		kept += file->kept_for_error;
	}
	assert(staged == fs->staged && kept == fs->kept_errors);
}
#endif
