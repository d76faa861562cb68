#pragma once

#include "audit.h"
#include "fs_base.h"
#include "opener.h"
#include "value.h"
#include "written.h"

/*
 * Files that are open, staged, being uploaded, or kept for an error, and their handles.
 */

/*
 * A descriptor of a secret that was opened for writing (or, without a value, for fsync alone).
 *
 *   state    fields                      leaves it by
 *   clean    !dirty, !failed             WRITE and truncation: dirty; a refused one: failed
 *   dirty    dirty, !failed, value       an upload is started, or fails its checks: clean;
 *                                        a refused WRITE, a killed writer: failed
 *   failed   failed, !dirty, no value    RELEASE alone
 *
 * Never: dirty and failed; a failed handle with a value; dirty without a value. files_check
 * asserts it.
 */
struct handle {
	struct file *file;
	LIST_ENTRY(handle) link; /* of file->handles */
	fuse_ino_t
		ino; /* that was opened: another client may have created the secret again since */
	struct opener opener;
	struct writer writer;
	struct log_actor actor; /* that opened it, for the audit */
	unsigned owners;	/* counts the changes of `opener` and `writer` */
	struct wait_list freed; /* woken when the handle is freed */
	struct value *value;	/* the buffer that WRITE appends to; NULL: there is none */
	bool excl, dirty;
	bool wrote;	  /* a WRITE came, accepted or not */
	bool began_empty; /* created, truncated to 0 or staged: every byte of the value is known */
	int failed;	  /* positive errno of the operation that was refused; 0: none was */
	unsigned scan_pass; /* number of the last FSYNC that looked at it */
};

/* Attributes that were set before the value was stored (setxattr.c). */
struct pending_attrs {
	char *scopes, *comment;		 /* NULL: not set; "" clears the comment */
	char *visibility, *repositories; /* one of them at most */
	bool expiry_is_set;
	wall_time_ns expires_at; /* TIME_UNKNOWN: never */
};

/* Which of a secret's values is stored, as far as the service shows it; all zero: none. */
struct version {
	char digest[64];
	wall_time_ns modified_at;
};

/*
 * A secret that is open, being uploaded, or whose last upload failed; or what is staged. Freed when
 * none of these is left (file_put_if_unused).
 *
 *   state       fields                        leaves it by
 *   created     created                       its first successful upload: stored
 *   stored      !created                      unlink or rename onto it: unlinked
 *   staged      staged                        rename to a secret's name, uploaded: stored;
 *                                             unlink or its age: unlinked
 *   uploading   uploads > 0                   the last upload ends: stored, failed or unknown
 *   failed      failure.errnum, !unknown      the next successful upload: stored
 *   unknown     failure.errnum, unknown       the same; or the name is read and absent
 *   kept        kept_for_error, no handles,   an open: created or stored;
 *               no uploads, a failure or      KEPT_ERRORS_MAX: freed
 *               awaited
 *   unlinked    unlinked                      the last handle and upload end: freed
 *
 * A file is created, stored or unlinked; staged, uploading, failed and unknown are beside that.
 * Never: unlinked and staged; detached and not unlinked; a directory or a link (is_directory,
 * target) that is not staged or unlinked; kept_for_error with a handle; unknown without a
 * failure. files_check asserts it.
 */
struct file {
	uint32_t entry_id; /* the first member: a key of fs->files_by_entry_id */
	struct fs *fs;
	struct store *store;
	char name[NAME_LENGTH_MAX + 1]; /* a file in a staged directory: DIRECTORY/NAME */
	bool unlinked; /* its name was removed or given to another file: it is not published */
	bool detached; /* another file has its entry id now */
	bool created;  /* by CREATE or MKNOD here, and not stored yet */
	bool is_guess; /* created before it was known whether the service has the name (intent.h) */
	struct value *staged; /* the value until it is renamed; NULL: the file is not staged */
	bool is_directory;    /* a staged directory for temporary files */
	uint64_t staged_at;   /* CLOCK_BOOTTIME, milliseconds */
	char *target;	      /* of a staged symbolic link; NULL: it is none */
	bool spoiled; /* a WRITE to the staged value was refused: it must not become a secret */
	uint64_t awaited_until; /* made by MKNOD and not opened yet: visible until then
				   (CLOCK_BOOTTIME, milliseconds); 0: it is not awaited */
	LIST_HEAD(, handle) handles;
	struct pending_attrs pending_attrs; /* they join the next upload */
	unsigned uploads;	/* in flight; searches that delay the end of the mount count too */
	struct wait_list waits; /* woken when an upload has ended */
	unsigned uploads_started;   /* number of the last upload */
	unsigned last_upload_ended; /* the highest number of an upload that has ended */
	struct failure failure;	    /* of that upload; errnum 0: it succeeded */
	bool unknown;		    /* whether the value of that upload is stored */
	bool reported;		    /* an FSYNC has returned the failure */
	struct version before;	    /* what was stored when the last upload began: shows whether an
				       unknown one took effect */
	bool kept_for_error;	    /* nothing but the failure, or a MKNOD, keeps it */
	wall_time_ns modified_at;   /* the last WRITE, or when it was opened, by clock_files() */
	struct set_times times;	    /* utimensat(2) since then */
	size_t sent; /* bytes that were written of the value of the last upload: its length */
	TAILQ_ENTRY(file) link; /* of fs->files */
};

static inline struct handle *handle_of(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh;
}

#ifdef NDEBUG
static inline void files_check(const struct fs *fs)
{
	(void)fs;
}
#else
/* Asserts the state tables above for every file and handle. */
void files_check(const struct fs *fs);
#endif

/* The order of fs->files_by_name. */
int files_compare_name(const void *left, const void *right);

/* Return the file of a name or an entry id; NULL: none, or no store. */
struct file *file_find(struct fs *fs, const struct store *store, const char *name);
struct file *file_of_entry_id(struct fs *fs, uint32_t entry_id);

/* Returns the file of a name, made with `entry_id` where there is none; NULL when memory ran out.
 * file_put_if_unused frees it if it gets no handle. */
struct file *file_get_or_create(struct fs *fs, struct store *store, const char *name,
				uint32_t entry_id);

/* Gives it another name in its store. May free it. */
void file_rename(struct file *file, const char *name);

/* Takes its name away, which was unlinked or replaced, and its staged value. May free it. */
void file_unlink(struct file *file);

/* Frees it when nothing uses it and no failure of it is kept. */
void file_put_if_unused(struct file *file);

/* True if the name is shown although the service does not have it: it was created here, and is
 * open, uploaded, staged or awaited, or its failure was not reported. */
bool file_is_visible(const struct file *file);

/* True if the service has it, as far as the cache knows. */
bool file_is_stored(const struct file *file);

/* Frees every file, at the end, when no handle is left. */
void files_free(struct fs *fs);

/* Fills in the version that is known to be stored now. */
void file_version(const struct file *file, struct version *version);

/* Returns NULL when memory ran out; then `file` may be gone. */
struct handle *handle_new(struct file *file);

/* Wipes its value and ends it. May free its file. */
void handle_free(struct handle *handle);

/* Returns the size of its buffer in bytes. */
static inline size_t handle_length(const struct handle *handle)
{
	return handle->value ? handle->value->bytes.length : 0;
}

/* True if it is dirty and its value may be uploaded under the name of the file. */
static inline bool handle_is_publishable(const struct handle *handle)
{
	return handle->dirty && !handle->failed && !handle->file->unlinked && !handle->file->staged;
}

/*
 * Sets the size of the value. It grows by zeros where the handle began empty; elsewhere the bytes
 * in between are unknown, so growth is refused and the handle fails. Returns 0 or a positive
 * errno.
 */
int handle_truncate(struct fs *fs, struct handle *handle, off_t size);

/* Wipes its value; it is not dirty any more. */
void handle_wipe(struct handle *handle);

/* Makes the writer (WRITER_ONE) the opener. */
void handle_take_over(struct fs *fs, struct handle *handle);

/* Returns which process `thread`, which closes a descriptor of the handle, belongs to. */
enum flush_origin handle_flush_origin(const struct handle *handle, pid_t thread);

/* Frees the strings and zeroes `attrs`. */
void pending_attrs_free(struct pending_attrs *attrs);

/* True if a value of it may still be published: it is staged, or a handle is dirty or empty. */
bool file_awaits_value(const struct file *file);
