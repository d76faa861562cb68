/*
 * Uploads: decides which bytes of the buffer are the value, checks and sends them, and keeps the
 * outcome in the file.
 */
#include "upload.h"
#include "digest.h"
#include "fs_internal.h"
#include "retained.h"
#include "staging.h"

static bool is_printable(const uint8_t *text, size_t length)
{
	if (!utf8_is_valid(text, length))
		return false;
	for (size_t i = 0; i < length; i++) {
		/* C0 and DEL; C1 controls are U+0080 to U+009F, C2 80 to C2 9F. */
		if (text[i] < 0x20 || text[i] == 0x7f)
			return false;
		if (text[i] == 0xc2 && i + 1 < length && text[i + 1] < 0xa0)
			return false;
	}
	return true;
}

/* Returns how many written bytes are the value: with newline=auto `echo val` stores `val`. */
static size_t value_length(const struct fs *fs, const struct locked *bytes)
{
	size_t length = bytes->length;

	if (fs->config->keep_newline || !length || bytes->data[length - 1] != '\n')
		return length;
	return is_printable(bytes->data, length - 1) ? length - 1 : length;
}

/* Checks a value as far as that needs no call. Returns 0, or -errno with `failure` set. */
static int check_value(const struct fs *fs, const uint8_t *value, size_t length,
		       struct failure *failure)
{
	const struct provider *provider = fs->provider;

	if (!length)
		return failure_set(
			failure, EINVAL,
			"the value is empty or nothing but a newline: nothing was stored");
	if (provider->value_bytes_max && length > provider->value_bytes_max)
		return failure_set(failure, EFBIG,
				   "the value is larger than the %zu bytes that the service takes",
				   provider->value_bytes_max);
	if (provider->text_only && !utf8_is_valid(value, length))
		return failure_set(
			failure, EILSEQ,
			"the value is not UTF-8, and this service takes only text: encode it, in base64 for example");
	if (provider->value_characters_max &&
	    utf8_length(value, length) > provider->value_characters_max)
		return failure_set(
			failure, EFBIG,
			"the value is larger than the %zu characters that the service takes",
			provider->value_characters_max);
	return 0;
}

/*
 * Records the outcome of upload `number`. Uploads can complete out of order, for validation fails
 * at once; the highest number wins.
 */
static void record_outcome(struct file *file, unsigned number, const struct failure *failure,
			   bool unknown)
{
	if (number < file->last_upload_ended)
		return;
	file->last_upload_ended = number;
	file->failure = *failure;
	file->unknown = unknown;
	file->reported = false;
}

/*
 * The secret now exists: queued exclusive creates of our own handles become upserts instead of
 * failing with EEXIST.
 */
static void downgrade_creates(const struct file *file)
{
	struct upload *upload;

	LIST_FOREACH (upload, &file->fs->upload_list, link)
		if (upload->file == file && !upload->done && upload->put.mode == PUT_CREATE)
			upload->put.mode = PUT_UPSERT;
}

void fs_check_drained(struct fs *fs)
{
	if (fs->drained && !fs->uploads)
		task_queue(fs->loop, &fs->drain_task);
}

/* Wakes what waits for the upload, and releases its value and its file. */
static void upload_complete(struct upload *upload)
{
	struct file *file = upload->file;
	struct fs *fs = upload->fs;

	upload->done = true;
	fs->uploads--;
	upload->value->uploads--;
	value_release(upload->value);
	upload->value = NULL;
	wait_wake_all(&upload->waits);
	file->uploads--; /* it has kept the file until here, whatever the woken requests did */
	wait_wake_all(&file->waits);
	file_put_if_unused(file);
	upload->file = NULL;
	upload_release(upload); /* its own reference */
	fs_check_drained(fs);
}

/* True if a rename may follow: the name is new, or temporary files are called so. */
static bool may_be_renamed(const struct upload *upload)
{
	return !upload->is_staged &&
	       (upload->put.created || upload->renews || staging_looks_temporary(upload->name));
}

/* Notes length and times of what the service has now. */
static void keep_length(struct upload *upload)
{
	const struct put_op *put = &upload->put;
	const struct record *known =
		listing_peek_any(store_secrets(put->change.store), upload->name);
	const struct record *record = put->record ? put->record : known;
	bool failed = put->change.failure.errnum != 0;

	if (!failed && (put->record || put->stored_in.to != TIME_UNKNOWN))
		written_keep(upload->fs, upload->file,
			     record ? record->entry_id : upload->file->entry_id, put->record,
			     &put->stored_in, upload->value->bytes.length);
	else if (!failed || put->unknown)
		written_forget(upload->fs, known ? known->entry_id : 0);
}

static void log_publication(const struct file *file, const struct log_actor *actor,
			    const char *name, const char *digest, const char *effect,
			    const struct failure *failure)
{
	audit(file->fs, &(const struct log_event){.operation = "publish",
						  .actor = actor,
						  .store = store_name(file->store),
						  .name = name,
						  .digest = digest,
						  .effect = effect,
						  .failure = failure,
						  .is_change = true});
}

static void on_put(struct change_op *op)
{
	struct upload *upload = container_of(op, struct upload, put.change);
	const struct put_op *put = &upload->put;
	struct file *file = upload->file;
	struct fs *fs = upload->fs;
	struct entry_text text;

	log_publication(file, &upload->actor, upload->name,
			put->change.failure.errnum ? NULL : record_digest(put->record, &text),
			put->effect, &put->change.failure);
	count_write(&fs->writes, &put->change.failure, put->unknown);
	histogram_add(&fs->writes.durations, loop_now(fs->loop) - upload->started_at);
	keep_length(upload);
	/* An upload that overlapped with this one may have ended before it: a rename must not store
	 * its value. */
	if (!put->change.failure.errnum || put->unknown)
		upload->renews |= retained_forget(fs, file->store, upload->name);
	if (put->change.failure.errnum) {
		record_outcome(file, upload->number, &put->change.failure, put->unknown);
		if (file->is_guess && fs->config->commit != COMMIT_FSYNC) {
			/* The next lookup finds out whether there was an old value; if so, it
			 * finds this file and its failure. */
			file->created = false;
			listing_invalidate(store_secrets(file->store), file->name, file->entry_id);
		}
		fs->lost_values += fs->stopping; /* no later close will try again */
	} else {
		record_outcome(file, upload->number, &(struct failure){0}, false);
		file->created = file->is_guess = false;
		downgrade_creates(file);
		if (may_be_renamed(upload))
			retained_add(upload, file->uploads == 1 ? &file->pending_attrs : NULL);
		if (file->uploads == 1)
			pending_attrs_free(&file->pending_attrs); /* they are stored */
	}
	upload_complete(upload);
}

void upload_release(struct upload *upload)
{
	if (!upload || --upload->references)
		return;
	LIST_REMOVE(upload, link);
	store_release(upload->put.change.store);
	free(upload);
}

/* Returns an upload of the file under its present name that is still queued, or NULL. */
static struct upload *next_queued(const struct file *file)
{
	struct upload *upload = LIST_FIRST(&file->fs->upload_list);

	while (upload && (upload->file != file || upload->done ||
			  strcmp(upload->name, file->name) != 0 || !put_is_queued(&upload->put)))
		upload = LIST_NEXT(upload, link);
	return upload;
}

void uploads_cancel_queued(struct file *file)
{
	struct upload *upload;

	file->uploads++; /* keeps the file until the loop is done */
	while ((upload = next_queued(file))) {
		put_cancel(&upload->put);
		upload_complete(upload);
	}
	file->uploads--;
}

void uploads_rename(struct file *file, const char *name)
{
	struct upload *upload;

	file->uploads++;
	while ((upload = next_queued(file))) {
		put_cancel(&upload->put);
		strcpy(upload->name, name);
		put_start(&upload->put);
	}
	file->uploads--;
}

void upload_cancel(struct upload *upload)
{
	if (upload->done)
		return;
	put_cancel(&upload->put);
	failure_set(&upload->put.change.failure, EINTR, "the writer was interrupted%s",
		    upload->put.unknown
			    ? " after the value had left: whether it was stored is not known"
			    : "");
	on_put(&upload->put.change);
}

void upload_interrupted(struct upload *upload, bool cancel)
{
	struct fs *fs = upload->fs;
	struct failure failure = {0};

	if (upload->done || fs->unmounted)
		return;
	if (cancel && LIST_EMPTY(&upload->waits) && LIST_EMPTY(&upload->file->waits)) {
		upload_cancel(upload);
		return;
	}
	failure_set(
		&failure, EINTR,
		"the writer was interrupted, and does not learn what becomes of the value: its upload goes on");
	fs_report(fs, "publish", upload->file->store, upload->name, &failure);
}

static struct upload *upload_new(struct file *file, struct value *value, size_t length,
				 const char *name)
{
	struct fs *fs = file->fs;
	struct upload *upload = calloc(1, sizeof *upload);

	if (!upload)
		return NULL;
	upload->fs = fs;
	upload->file = file;
	upload->number = file->uploads_started;
	upload->references = 2; /* the caller's and its own */
	upload->value = value_reference(value);
	value->uploads++;
	strcpy(upload->name, name);
	LIST_INSERT_HEAD(&fs->upload_list, upload, link);
	upload->put = (struct put_op){
		.change.store = store_reference(file->store),
		.change.name = upload->name,
		.value = value->bytes.data,
		.length = length,
		.mode = fs->config->nocreate ? PUT_REPLACE : PUT_UPSERT,
		.scopes = file->pending_attrs.scopes,
		.comment = file->pending_attrs.comment,
		.visibility = file->pending_attrs.visibility,
		.repositories = file->pending_attrs.repositories,
		.expiry_is_set = file->pending_attrs.expiry_is_set,
		.expires_at = file->pending_attrs.expires_at,
		.change.entry_id = file->entry_id,
		.pool = fs->options.pool,
		.change.deadline = fs_deadline(fs),
		.change.done = on_put,
	};
	return upload;
}

/* Returns an upload of the value, not started; NULL with `failure` set and logged where it fails a
 * check. */
static struct upload *prepare(struct file *file, const struct log_actor *actor, struct value *value,
			      const char *name, struct failure *failure)
{
	size_t length = value_length(file->fs, &value->bytes);
	struct upload *upload = NULL;

	*failure = (struct failure){0};
	file->uploads_started++;
	if (!check_value(file->fs, value->bytes.data, length, failure)) {
		upload = upload_new(file, value, length, name);
		if (!upload)
			failure_set(failure, ENOMEM, "out of memory");
	}
	if (upload) {
		upload->actor = *actor;
	} else {
		count_write(&file->fs->writes, failure, false);
		log_publication(file, actor, name, NULL, NULL, failure);
	}
	return upload;
}

static void start(struct upload *upload)
{
	file_version(upload->file, &upload->file->before);
	upload->file->sent = upload->value->bytes.length;
	upload->file->uploads++;
	upload->fs->uploads++;
	upload->started_at = loop_now(upload->fs->loop);
	upload->renews = retained_forget(upload->fs, upload->file->store, upload->name);
	put_start(&upload->put);
}

struct upload *upload_start(struct handle *handle, struct failure *failure)
{
	struct file *file = handle->file;
	struct upload *upload;

	*failure = (struct failure){0};
	handle->dirty = false; /* whatever the outcome: the upload was tried */
	if (!handle_length(handle))
		return NULL; /* truncation alone uploads nothing */
	upload = prepare(file, &handle->actor, handle->value, file->name, failure);
	if (!upload) {
		record_outcome(file, file->uploads_started, failure, false);
		return NULL;
	}
	if (handle->excl && file->created && !file->fs->config->nocreate)
		upload->put.mode = PUT_CREATE;
	start(upload);
	return upload;
}

struct upload *upload_in_flight(const struct handle *handle)
{
	struct upload *upload = NULL;

	if (handle->value && handle->value->uploads)
		LIST_FOREACH (upload, &handle->file->fs->upload_list, link)
			if (upload->value == handle->value)
				break;
	if (upload)
		upload->references++;
	return upload;
}

void handle_publish(struct handle *handle)
{
	struct failure failure;

	upload_release(upload_start(handle, &failure));
}

struct upload *upload_staged(struct file *file, const char *name, bool only_free,
			     fuse_req_t request, struct failure *failure)
{
	struct handle *handle;
	struct upload *upload;
	struct log_actor actor;

	/* The rename uploads what was written: a close after it has nothing new to upload. */
	LIST_FOREACH (handle, &file->handles, link)
		handle->dirty = false;
	actor_of_request(&actor, request);
	upload = prepare(file, &actor, file->staged, name, failure);
	if (!upload)
		return NULL;
	upload->is_staged = true;
	if (only_free)
		upload->put.mode = PUT_CREATE;
	start(upload);
	return upload;
}
