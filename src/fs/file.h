#ifndef SSTOREFS_FS_FILE_H
#define SSTOREFS_FS_FILE_H

#include "fs_base.h"
#include "opener.h"
#include "written.h"

/*
 * Files that are open, being published, or kept for an error, and their handles.
 */

struct value;

struct handle {
	struct file *file;
	struct handle *next, **link; /* the file's */
	fuse_ino_t ino; /* of the inode that was opened: another client may have made the secret
			   anew since */
	struct opener opener;
	struct writer writer;
	struct wait_list freed; /* those who must not look at it afterwards */
	struct value *value;	/* NULL: nothing was written yet */
	bool append, excl, dirty, closed;
	bool wrote;	  /* or tried to */
	bool began_empty; /* created, cut to nothing, or staged: every byte of the file is known
			     here */
	int failed;	  /* errno of the operation that was refused, positive; 0: none was */
	uid_t uid;	  /* who opened it, for the audit */
	gid_t gid;
	pid_t pid;
	char cgroup[CGROUP_SIZE];
	unsigned scan_pass; /* the last FSYNC that looked at it */
};

/* What is wanted of a secret beside its value (setxattr.c). */
struct pending_attrs {
	char *scopes, *comment; /* NULL: nothing was said; "" clears the comment */
	bool expiry_is_set;
	wall_time_ns expires_at; /* TIME_UNKNOWN: never */
};

/* Which of a secret's values is stored, as far as the service tells; all zero: none. */
struct version {
	char digest[64];
	wall_time_ns modified_at;
};

/* A secret that is open, being published, or whose last publication failed. */
struct file {
	struct fs *fs;
	struct store *store;
	char name[256];
	uint32_t entry_id;
	bool unlinked; /* its name was removed or given to another: nothing of it is published */
	bool detached; /* another file has its serial number now */
	bool created;  /* made by CREATE here, and not stored yet */
	struct value *staged; /* what a file under a temporary name holds until it is renamed; NULL:
				 it is an ordinary one */
	bool is_directory; /* staged, for temporary files: those are called DIRECTORY/NAME, which no
			      secret can be */
	uint64_t staged_at; /* CLOCK_BOOTTIME, milliseconds */
	char *target;	    /* staged, a link to this; NULL: it is none */
	bool spoiled; /* a write to what is staged was refused: it is half a value, and takes no
			 real name */
	uint64_t awaited_until; /* made by MKNOD and not opened yet: it is there until then
				   (CLOCK_BOOTTIME, ms) */
	struct handle *handles;
	struct pending_attrs
		pending_attrs; /* set before the value was stored: they join its publication */
	unsigned uploads;
	struct wait_list waits;	    /* woken when an upload of it ended */
	unsigned uploads_started;   /* how many were asked for */
	unsigned last_upload_ended; /* the last one of them that has ended: what follows is told of
				       that */
	struct failure failure;	    /* of the last publication; error 0: it did not fail */
	bool unknown;		    /* the last publication's outcome */
	bool reported;		    /* the failure was told by an FSYNC */
	struct version before;	    /* what was stored when the last publication began: whether an
				       unknown one took effect */
	bool kept_for_error;	    /* kept only for its failure */
	wall_time_ns modified_at;   /* the last WRITE, or that it was opened, by clock_files() */
	struct set_times times;	    /* set since then */
	size_t sent;		    /* bytes that were written of what the last upload sends */
	struct file *next, **link;
};

int files_compare_entry_id(const void *left, const void *right);

int files_compare_name(const void *left, const void *right);

struct file *file_find(struct fs *fs, const struct store *store, const char *name);

struct file *file_of_entry_id(struct fs *fs, uint32_t entry_id);

/* The file of a name; made when there is none. NULL when memory ran out. */
struct file *file_get_or_create(struct fs *fs, struct store *store, const char *name,
				uint32_t entry_id);

void file_rename(struct file *file, const char *name);

/* Takes its name away: it was unlinked or replaced. */
void file_unlink(struct file *file);

/* Frees it when nothing holds it and there is nothing to remember of it. */
void file_put_if_unused(struct file *file);

/* Whether it is there for everybody, though the service does not have it: open, on its way, staged,
 * or failed. */
bool file_is_visible(const struct file *file);

/* Whether it is a create that failed after its close, with nobody told yet (`commit=fsync`). */
bool file_has_unreported_create_error(const struct file *file);

/* Whether the service has it, as far as we know. */
bool file_is_stored(const struct file *file);

/* Frees every file: at the end, when no handle is left. */
void files_free(struct fs *fs);

/* The version of what is known to be stored now. */
void file_version(const struct file *file, struct version *version);

struct handle *handle_new(struct file *file);

void handle_free(struct handle *handle);

/* How many bytes a handle would publish. */
size_t handle_length(const struct handle *handle);

/*
 * Sets the size of the value. It grows by zeros where the handle began empty; elsewhere the bytes
 * in between are unknown, so growth is refused and the handle is spent. Returns 0 or a positive
 * errno.
 */
int handle_truncate(struct fs *fs, struct handle *handle, off_t size);

void handle_wipe(struct handle *handle);

/* The writer (WRITER_ONE) is the opener from now on. */
void handle_take_over(struct fs *fs, struct handle *handle);

enum flush_origin handle_flush_origin(const struct handle *handle, pid_t thread);

void pending_attrs_free(struct pending_attrs *attrs);

/* Whether a value is still to be published, as far as its writers have gone. */
bool file_awaits_value(const struct file *file);

#endif
