#ifndef SSTOREFS_FS_FS_INTERNAL_H
#define SSTOREFS_FS_FS_INTERNAL_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "precheck.h"
#include "sstorefs/change.h"
#include "sstorefs/fs.h"
#include "sstorefs/name.h"
#include "sstorefs/ordered_set.h"
#include "written.h"

/*
 * The file system from the inside.
 */
struct fdinfo_scan;
/* The searches for descriptors that are under way, in the order in which they get their slices of time (fdinfo_scan.c). */
struct search_queue {
	struct loop *loop;
	struct fdinfo_scan *first, **last;
	struct task task;
};

struct fs {
	struct fs_options options;
	struct loop *loop;
	struct catalog *catalog;
	const struct config *config;
	const struct provider *provider;
	struct fuse_session *session;
	struct watch watch;
	struct fuse_buf receive; /* ours, locked (DESIGN 7) */
	size_t receive_size, max_write;
	struct task resize; /* after INIT the receive buffer may be smaller */
	bool mounted, unmounted, stopping;
	bool initialized; /* INIT was answered */
	char *reply_page; /* where small answers are put together */
	struct buffer
		xattr_scratch; /* the attribute that was asked for last: its memory serves the next one */

	uint64_t inode_base; /* inode number of serial 0 */
	wall_time_ns mounted_at;
	struct ordered_set files_by_entry_id, files_by_name;
	struct ordered_set processes;		/* those that have something open, by id */
	unsigned process_count, processes_most; /* each has a descriptor of ours */
	struct search_queue searches;
	struct recent_slot *recent;
	struct open_wait *first_open_wait, **last_open_wait; /* those that wait for a process's descriptor */
	struct task open_waits_task;
	struct file *first_file, **last_file; /* all of them, in the order in which they were made */
	unsigned kept_errors;		      /* files that are kept only for the failure they remember */
	struct directory *first_directory;    /* that is open */
	struct deferred *first_deferred;
	struct control_file *first_control_file;
	struct upload *first_upload;
	unsigned uploads;
	unsigned scan_pass;
	unsigned staged;
	struct timer staging_timer;
	struct retained *first_retained, **last_retained; /* the oldest first */
	unsigned retained;
	size_t retained_bytes; /* of locked memory */
	struct timer retained_timer;
	struct written written; /* what this mount has stored */
	bool owner_tracking_degraded; /* openers can't always be told (DESIGN 3, rule 7): said once in the log, always in status */

	void (*drained)(void *context, unsigned lost);
	void *drained_context;
	struct timer drain_timer;
	struct task drain_task;
	unsigned lost_values;
};

/* --- inodes (inode.c) ---------------------------------------------------------------------------------------------------------- */

enum inode_kind {
	INODE_NONE,
	INODE_ROOT,
	INODE_STORE,
	INODE_SECRET,
	INODE_STAGED_DIRECTORY,
	INODE_STAGED_LINK,
	INODE_CONTROL_DIRECTORY,
	INODE_CONTROL_FILE
};

/* Numbers below FIRST_SERIAL_INODE have a fixed meaning. */
enum { INODE_NUMBER_ROOT = FUSE_ROOT_ID, INODE_NUMBER_CONTROL = 2, INODE_NUMBER_CONTROL_FIRST = 3 };

/* What an inode number stands for at this moment. */
struct inode {
	enum inode_kind kind;
	fuse_ino_t number;
	const struct record *record; /* of a store or secret that is known; else NULL */
	struct store *store;	     /* the store it is, or is in; NULL for the root of all stores */
	struct file *file; /* of a secret that is open or not settled, and of a staged directory; else NULL */
	unsigned control;  /* which control file */
};

/* Finds out what `number` is; INODE_NONE where it stands for nothing any more. Returns the kind. */
enum inode_kind inode_find(struct fs *fs, fuse_ino_t number, struct inode *inode);
fuse_ino_t inode_number(const struct fs *fs, uint32_t entry_id);

/* The name of a store or secret; of another directory ".". */
const char *inode_name(const struct inode *inode);

/* The listing that a directory shows; NULL where it is none, or the control directory. */
struct listing *inode_listing(struct fs *fs, const struct inode *inode);

void inode_attributes(struct fs *fs, const struct inode *inode, struct stat *attributes);

/* Fills in an answer to LOOKUP and its like, the kernel's time-outs included. */
void inode_entry(struct fs *fs, const struct inode *inode, struct fuse_entry_param *entry);
double inode_attribute_timeout(struct fs *fs, const struct inode *inode);

/* The inode of a record of `listing`. That of a store comes without its `store`. */
void inode_of_record(struct fs *fs, struct listing *listing, const struct record *record,
		     struct inode *inode);

/* --- the kernel's descriptor (fuse_io.c) -------------------------------------------------------------- */

/* Has libfuse read and write it through us. 0 or a negative errno. */
int fuse_io_install(struct fs *fs);

/* --- late answers (deferred.c) ----------------------------------------------------------------------------------------------------- */

/*
 * A request that is answered later. Embedded in what waits. `interrupted` is called from the loop when the kernel wants the request
 * ended: it lets go of what is waited for and answers EINTR.
 */
struct deferred {
	struct fs *fs;
	fuse_req_t request; /* NULL once it is answered */
	void (*interrupted)(struct deferred *deferred);
	struct task task;
	struct deferred *next, **link;
};
void deferred_begin(struct fs *fs, struct deferred *deferred, fuse_req_t request,
		    void (*interrupted)(struct deferred *deferred));
/* Takes the request out, to be answered now; NULL if it was answered already. */
fuse_req_t deferred_take(struct deferred *deferred);
void deferred_reply_err(struct deferred *deferred, int error);

/* --- files and handles (file.c) ------------------------------------------------------------------------------------------------ */

/* A value as it grows, in locked memory. Shared by a handle and the uploads of it, and by all handles of a staged file; else copied before it is written to while it is
 * shared. */
struct value {
	unsigned references;
	unsigned uploads; /* those that send it: it must not change meanwhile */
	struct locked bytes;
	size_t valid_utf8_bytes; /* where services take text: bytes that are known to be whole characters, and */
	size_t characters;	 /* how many characters there are in all */
};

/* The process that opened a handle (DESIGN 3, rules 4 and 7). */
struct opener {
	struct process *process; /* one for all handles that it opened; NULL: could not be told */
	uint64_t owner;		 /* where the process is not known: whose FLUSH publishes */
	bool owner_known, owner_ambiguous;
	bool owner_opened; /* it was told by an empty first FLUSH, which only he who opened makes */
	char program[32];  /* its name as /proc has it, "" where it can't be told */
};

#define CGROUP_SIZE 256 /* what is longer is cut */

/* Who has written what a handle holds. */
enum writer_kind {
	WRITER_NONE,
	WRITER_OPENER, /* its opener, or what can't be told: nobody takes its place */
	WRITER_ONE,    /* one other process, or it and its children */
	WRITER_MANY,
};
struct writer {
	enum writer_kind kind;
	struct process *process; /* of WRITER_ONE */
	pid_t thread;		 /* the last that wrote */
	pid_t parent;		 /* of `process` when it began */
};

struct handle {
	struct file *file;
	struct handle *next, **link; /* the file's */
	fuse_ino_t ino; /* of the inode that was opened: another client may have made the secret anew since */
	struct opener opener;
	struct writer writer;
	struct wait_list freed; /* those who must not look at it afterwards */
	struct value *value;	/* NULL: nothing was written yet */
	bool append, excl, dirty, closed;
	bool wrote;	  /* or tried to */
	bool began_empty; /* created, cut to nothing, or staged: every byte of the file is known here */
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
	struct value *
		staged; /* what a file under a temporary name holds until it is renamed; NULL: it is an ordinary one */
	bool is_directory; /* staged, for temporary files: those are called DIRECTORY/NAME, which no secret can be */
	uint64_t staged_at; /* CLOCK_BOOTTIME, milliseconds */
	char *target;	    /* staged, a link to this; NULL: it is none */
	bool spoiled; /* a write to what is staged was refused: it is half a value, and takes no real name */
	uint64_t
		awaited_until; /* made by MKNOD and not opened yet: it is there until then (CLOCK_BOOTTIME, ms) */
	struct handle *handles;
	struct pending_attrs pending_attrs; /* set before the value was stored: they join its publication */
	unsigned uploads;
	struct wait_list waits;	    /* woken when an upload of it ended */
	unsigned uploads_started;   /* how many were asked for */
	unsigned last_upload_ended; /* the last one of them that has ended: what follows is told of that */
	struct failure failure;	    /* of the last publication; error 0: it did not fail */
	bool unknown;		    /* the last publication's outcome */
	bool reported;		    /* the failure was told by an FSYNC */
	struct version
		before; /* what was stored when the last publication began: whether an unknown one took effect */
	bool kept_for_error;	  /* kept only for its failure */
	wall_time_ns modified_at; /* the last WRITE, or that it was opened, by clock_files() */
	struct set_times times;	  /* set since then */
	size_t sent;		  /* bytes that were written of what the last upload sends */
	struct file *next, **link;
};

int files_compare_entry_id(const void *left, const void *right);
int files_compare_name(const void *left, const void *right);
struct file *file_find(struct fs *fs, const struct store *store, const char *name);
struct file *file_of_entry_id(struct fs *fs, uint32_t entry_id);
/* The file of a name; made when there is none. NULL when memory ran out. */
struct file *file_get_or_create(struct fs *fs, struct store *store, const char *name, uint32_t entry_id);
void file_rename(struct file *file, const char *name);
/* Takes its name away: it was unlinked or replaced. */
void file_unlink(struct file *file);
/* Frees it when nothing holds it and there is nothing to remember of it. */
void file_put_if_unused(struct file *file);
/* Whether it is there for everybody, though the service does not have it: open, on its way, staged, or failed. */
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
 * Sets the size of the value. It grows by zeros where the handle began empty; elsewhere the bytes in
 * between are unknown, so growth is refused and the handle is spent. Returns 0 or a positive errno.
 */
int handle_truncate(struct fs *fs, struct handle *handle, off_t size);
void handle_wipe(struct handle *handle);

struct value *value_new(struct locked_pool *pool);
void value_release(struct value *value);

/* --- what was written lately (recent.c) ------------------------------------------------------------------------------------------ */

/* A file of this serial number was written, or could not be. */
void recent_note(struct fs *fs, uint32_t entry_id);
/* Whether a secret was, within the last ten minutes. */
bool recent_has(const struct fs *fs, const struct inode *inode);
void recent_finish(struct fs *fs);

/* --- processes (opener.c) ------------------------------------------------------------------------------------------------------- */

/* A process that has opened something, or writes what another has opened. Each costs a descriptor. */
struct process {
	pid_t id;
	int descriptor; /* pidfd: ready to read when it has ended, even if another has its id then */
	unsigned references;
	bool listed;
};
int processes_compare(const void *left, const void *right);
/* How many may be known at once: what the limit of open files leaves beside our own needs. */
unsigned processes_most(void);
bool process_has_ended(const struct process *process);
void process_release(struct fs *fs, struct process *process);
/* References the parent of a process; NULL when there is none. Returns 0, -ESRCH where /proc does not show it, -ENOBUFS. */
int process_of_parent(struct fs *fs, const struct process *process, struct process **parent);

/* Reads a small file of /proc whole, with a NUL behind it. Returns its length, -ESRCH when there is nothing to be seen, -ENOBUFS when we have not the means. */
ssize_t proc_read(int directory, const char *path, char *text, size_t size);

/* Who is `thread` (a FUSE request's pid), which is opening? `opener->process` is NULL where /proc can't tell. Returns 0, or -ENOBUFS when there
 * are no descriptors to tell with. */
int opener_identify(struct fs *fs, struct opener *opener, pid_t thread);
void opener_finish(struct fs *fs, struct opener *opener);

/* `thread` is about to write. Returns 0 or -ENOBUFS. */
int writer_note(struct fs *fs, struct handle *handle, pid_t thread);
void writer_forget(struct fs *fs, struct writer *writer, enum writer_kind kind);
/* The writer (WRITER_ONE) is the opener from now on. */
void handle_take_over(struct fs *fs, struct handle *handle);

/* The name of the program that `thread` runs, "" where it can't be told. */
void program_of(pid_t thread, char program[static 32]);

/* What the flushing thread is to the handle. */
enum flush_origin {
	FLUSH_UNKNOWN,	/* /proc can't tell */
	FLUSH_UNSEEN,	/* it could, but we have not the descriptors or the memory */
	FLUSH_BY_OTHER, /* another process */
	FLUSH_BY_OPENER,
	FLUSH_BY_DYING_OPENER, /* the opener, ending by a signal or with a status other than 0 */
	FLUSH_BY_WRITER,       /* not the opener, but the process that wrote every byte */
	FLUSH_BY_DYING_WRITER,
};
enum flush_origin handle_flush_origin(const struct handle *handle, pid_t thread);

/* --- who still holds a file (fdinfo_scan.c, takeover.c) ------------------------------------------------------------------------------ */

enum fd_holding {
	FD_HOLDING_NONE,
	FD_HOLDING_SOME,
	FD_HOLDING_UNKNOWN, /* /proc does not show it */
	FD_HOLDING_UNSEEN,  /* we have not the descriptors, the memory or the time to see it */
};

/*
 * Whether a process holds a descriptor of `inode`. `done` is called once, perhaps from within the start. A process that is gone holds none.
 */
struct fdinfo_scan {
	struct fs *fs;
	struct process *process;
	pid_t thread; /* one that is known to live, as its descriptors are the process's; 0: none is */
	fuse_ino_t inode;
	void (*done)(struct fdinfo_scan *scan, enum fd_holding result);
	/* fdinfo_scan.c's */
	pid_t id;
	long position;
	uint64_t time_used; /* microseconds of processor time */
	struct fdinfo_scan *next, **link;
};
void fdinfo_scan_start(struct fdinfo_scan *scan);
void fdinfo_scan_cancel(struct fdinfo_scan *scan);
void search_queue_init(struct search_queue *queue, struct loop *loop);

/*
 * Whether somebody still has to close a handle before its value is whole: its opener, or the writer that takes its place. `handle->opener.process` is
 * known. `done` is called once, perhaps from within the start; `handle` is NULL then if it was freed meanwhile.
 */
struct close_search {
	struct fs *fs;
	struct handle *handle;
	const struct process
		*flusher; /* the handle's opener or writer, if it is that one's FLUSH which asks; */
	pid_t thread;	  /* its thread, which closes */
	void (*done)(struct close_search *scan, enum fd_holding result);
	/* takeover.c's */
	struct process *parent;
	struct fdinfo_scan scan;
	struct wait freed;
};
void close_search_start(struct close_search *search, struct fs *fs, struct handle *handle);
void close_search_cancel(struct close_search *search);

/* --- publication (flush.c, upload.c) ------------------------------------------------------------------------------------- */

/* Who does something, for the audit. */
struct actor {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	char program[32];
	char cgroup[CGROUP_SIZE];
};

/* A value on its way, and who waits for it. */
struct upload {
	struct fs *fs;
	struct actor actor;
	struct put_op put;
	struct file *file;
	unsigned number; /* among the file's publications */
	struct value *value;
	char name[256];
	struct wait_list waits; /* woken at the end; `publication.failure` tells how it went */
	bool done;
	bool renews;	/* the name was new a few seconds ago, and its value is retained no more */
	bool is_staged; /* it publishes a staged file under its real name */
	unsigned references;
	struct upload *next, **link;
};
/* Publishes what a handle holds; it is not due any more. `failure` is set and NULL returned if it can't even be tried. One reference for the caller. */
struct upload *upload_start(struct handle *handle, struct failure *failure);
/* The same for a staged file under its real name `name`; `request` is the rename. */
struct upload *upload_staged(struct file *file, const char *name, bool only_free, fuse_req_t request,
			     struct failure *failure);
void upload_release(struct upload *upload);
/* Gives up: the value is not published if that can still be helped. */
void upload_cancel(struct upload *upload);
/* A file is losing its name: what still waits for its turn to be published under it is not published at all, which is no failure. */
void uploads_cancel_queued(struct file *file);
/* It is getting another name: what waits for its turn is published under that. */
void uploads_rename(struct file *file, const char *name);

/* Whether something was written that should go to the service now. */
bool handle_is_publishable(const struct handle *handle);
/* Publishes without waiting: whoever wants to know waits for the file. */
void handle_publish(struct handle *handle);
/* WRITE under `commit=write`: answers once the value is published. */
void write_through(struct fs *fs, fuse_req_t request, struct handle *handle, size_t size);

/* --- staging (staging.c) --------------------------------------------------------------------------------------------------------- */

/* Whether a new file `name` that is created with `flags` is to be staged. */
bool staging_applies(const struct fs *fs, const char *name, int flags);
/* Whether a staged file that is renamed to `name` stays staged: no secret is called so. */
bool staging_keeps(const struct fs *fs, const char *name);
/* Whether programs call files so that they mean to rename; secrets may be called so, too. */
bool staging_looks_temporary(const char *name);
/* What file_find knows `name` in `directory` by: with the staged directory's name in front. */
enum refusal staging_path(const struct inode *directory, const char *name,
			  char path[static NAME_LENGTH_MAX + 1]);
/* The name in `directory` of a file that is there, or NULL. */
const char *staging_name_in(const struct file *file, const struct file *directory);
bool staging_directory_is_empty(const struct file *directory);
/* Whether it is a staged file that may become a secret, and no directory or link. */
bool staging_has_value(const struct file *file);
enum inode_kind staging_kind(const struct file *file);
/* MKDIR and RMDIR of a directory for temporary files in a store. Return whether it was one, and was answered. */
bool staging_mkdir(struct fs *fs, fuse_req_t request, fuse_ino_t parent, const char *name);
bool staging_rmdir(struct fs *fs, fuse_req_t request, fuse_ino_t parent, const char *name);
/* Whether as many are staged as may be. */
bool staging_is_full(const struct fs *fs);
/* 0, or a positive errno when there are too many, which is recorded. */
int staging_begin(struct file *file);
/* It was used just now. */
void staging_refresh_age(struct file *file);
void staging_end(struct file *file);
/* The end of the mount: what was never renamed goes. */
void staging_discard_all(struct fs *fs);

/* --- retained values (retained.c) ------------------------------------------------------------------------------------------------ */

/* What was stored under a new name a few seconds ago, for a rename at a service that has none. */
struct retained {
	struct fs *fs;
	struct store *store;
	char name[256];
	char digest
		[DIGEST_TEXT_SIZE]; /* of what the service has since: another means that somebody has replaced it */
	struct value *value;
	size_t length;
	struct pending_attrs pending_attrs;
	uint64_t ends_at;	       /* CLOCK_BOOTTIME, milliseconds */
	struct retained *next, **link; /* `link` is NULL while it is taken out */
};

void retained_init(struct fs *fs);
/* Retains what an upload has stored, where that can be of use and there is room. `wishes`, unless NULL, were asked for it explicitly, and are taken over. */
void retained_add(const struct upload *upload, struct pending_attrs *attrs);
/* Wipes what is retained of a name; whether there was something. */
bool retained_forget(struct fs *fs, const struct store *store, const char *name);
/* Takes out what is retained of a name, if it is what `record` tells that the service has; NULL otherwise. */
struct retained *retained_take(struct fs *fs, const struct store *store, const char *name,
			       const struct record *record);
/* Puts it back, for what is left of its time. */
void retained_return(struct retained *retained);
void retained_free(struct retained *retained);
void retained_free_all(struct fs *fs);

/* --- audit (audit.c) ------------------------------------------------------------------------------------------------------------- */

/* The process's cgroup, which names its container; "" where it can't be told. */
void cgroup_of(pid_t process, char cgroup[static CGROUP_SIZE]);
void actor_of_request(struct actor *actor, fuse_req_t request);
/* What was done, or tried. */
struct audit_event {
	const char *operation;
	const struct store *store; /* NULL: it was done to a store, `name` */
	const char *name;
	const char *to;	    /* the other name, of rename and link; else NULL */
	const char *digest; /* of what is there now; NULL: there is none */
};
/* One line in the log, and one in the journal if it failed. Never a value. */
void audit(struct fs *fs, const struct actor *actor, const struct audit_event *event,
	   const struct failure *failure);

/* --- permissions and owner (owner.c) --------------------------------------------------------------------------------------------- */

/* Why a SETATTR of `what` is refused: the caller could not do it on an ordinary file that looks like this one. */
enum refusal precheck_setattr(fuse_req_t request, const struct inode *inode, const struct stat *wanted,
			      int what);

/* --- opening (open.c, open_wait.c) ------------------------------------------------------------------------------------------------- */

/*
 * Opens the inode `number`, or creates `name` in the directory `number`, and replies. Returns 0, or a positive errno without a reply.
 */
typedef int open_call(fuse_req_t request, fuse_ino_t number, const char *name, struct fuse_file_info *info);
/* Whether `error`, a positive errno, is what time may mend: want of locked memory or descriptors. */
bool open_may_wait(const struct fs *fs, const char *name, int flags, int error);
void open_waits_init(struct fs *fs);
/* A process's descriptor was given back: those who wait for one try again, in a later turn. */
void open_waits_continue(struct fs *fs);
/* Whether something must be waited for first, and waiting for it. */
bool open_must_wait(struct fs *fs, fuse_ino_t number, const char *name);
void open_wait_start(struct fs *fs, fuse_req_t request, fuse_ino_t number, const char *name,
		     const struct fuse_file_info *info, open_call *open);

/* --- digests (digest.c) ---------------------------------------------------------------------------------------------------------- */

/* The digest that is shown of a secret; it lies in the entry, or in the room of `text`. */
const char *entry_digest(const struct entry *entry, struct entry_text *text);

/* --- attributes that can be set (setxattr.c) --------------------------------------------------------------------------------------- */

/* Read one attribute's text into zeroed `wishes`. 0, -EOPNOTSUPP where the service has no such thing, -EINVAL, -EILSEQ, -ENOMEM. */
int parse_scopes(const struct fs *fs, const char *value, size_t size, struct pending_attrs *attrs);
int parse_comment(const struct fs *fs, const char *value, size_t size, struct pending_attrs *attrs);
int parse_expires_at(const struct fs *fs, const char *value, size_t size, struct pending_attrs *attrs);
/* Why they can't be carried out: an expiry goes up with a value alone. */
enum refusal precheck_attrs(const struct inode *inode, const struct pending_attrs *attrs);
/*
 * Applies `attrs` now (to a stored secret) or with the next upload (of a dirty handle), then
 * replies to `request`. Takes ownership of the strings it uses and clears them in `attrs`.
 */
void setxattr_apply(struct fs *fs, fuse_req_t request, const struct inode *inode,
		    struct pending_attrs *attrs);
void pending_attrs_free(struct pending_attrs *attrs);
/* Whether a value is still to be published, as far as its writers have gone. */
bool file_awaits_value(const struct file *file);

/* --- control files (control.c, control_status.c) --------------------------------------------------------------------------------------- */

unsigned control_count(void);
const char *control_name(unsigned control);
mode_t control_mode(unsigned control);
int control_find(const char *name); /* -1: none */
void control_open(struct fs *fs, fuse_req_t request, unsigned control, struct fuse_file_info *info);
void control_read(fuse_req_t request, size_t size, off_t offset, struct fuse_file_info *info);
void control_write(struct fs *fs, fuse_req_t request, size_t size);
void control_release(fuse_req_t request, struct fuse_file_info *info);
/* The end of the mount: not every RELEASE comes. */
void control_forget(struct fs *fs);
void status_print(struct fs *fs, struct buffer *text);
void metrics_print(struct fs *fs, struct buffer *text);

/* --- the operations, a file each or so ------------------------------------------------------------------------------------------ */

void fs_lookup(fuse_req_t request, fuse_ino_t parent, const char *name);
void fs_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);
void fs_setattr(fuse_req_t request, fuse_ino_t number, struct stat *attributes, int what,
		struct fuse_file_info *info);
void fs_access(fuse_req_t request, fuse_ino_t number, int mask);
void fs_statfs(fuse_req_t request, fuse_ino_t number);
void fs_opendir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);
void fs_readdir(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
		struct fuse_file_info *info);
void fs_readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
		    struct fuse_file_info *info);
void fs_releasedir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);
void fs_fsyncdir(fuse_req_t request, fuse_ino_t number, int datasync, struct fuse_file_info *info);
/* Gives up all that are open: the kernel will not release them any more. */
void directories_forget(struct fs *fs);
void fs_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode);
void fs_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name);
void fs_unlink(fuse_req_t request, fuse_ino_t parent, const char *name);
void fs_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	       const char *new_name, unsigned flags);
void fs_link(fuse_req_t request, fuse_ino_t number, fuse_ino_t new_parent, const char *new_name);
void fs_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name);
void fs_readlink(fuse_req_t request, fuse_ino_t number);
void fs_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void fs_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);
void fs_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *info);
void fs_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info);
void fs_write(fuse_req_t request, fuse_ino_t number, const char *data, size_t size, off_t offset,
	      struct fuse_file_info *info);
void fs_fallocate(fuse_req_t request, fuse_ino_t number, int mode, off_t offset, off_t length,
		  struct fuse_file_info *info);
void fs_flush(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);
void fs_fsync(fuse_req_t request, fuse_ino_t number, int datasync, struct fuse_file_info *info);
void fs_release(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);
void fs_getxattr(fuse_req_t request, fuse_ino_t number, const char *name, size_t size);
void fs_setxattr(fuse_req_t request, fuse_ino_t number, const char *name, const char *value, size_t size,
		 int flags);
void fs_listxattr(fuse_req_t request, fuse_ino_t number, size_t size);
void fs_removexattr(fuse_req_t request, fuse_ino_t number, const char *name);

/* The end of one operation's budget that begins now. */
uint64_t fs_deadline(const struct fs *fs);
/* Publishes or gives up what is left of every handle: the end of the mount counts as RELEASE of them all. */
void fs_release_all(struct fs *fs);
/* Something ended: a drain that waits for it may be complete. */
void fs_check_drained(struct fs *fs);

#endif
