/*
 * An OPEN or CREATE that waits: to hear whether the service accepts the token again, or for locked
 * memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "deferred.h"
#include "fs_internal.h"
#include "inode.h"
#include "open_wait.h"
#include "opener.h"
#include "precheck.h"
#include "sstorefs/name.h"
#include "staging.h"

#define LARGEST_VALUE (128u << 10) /* bytes of locked memory that a value may come to need */
#define PROBE_EVERY                                                                                \
	3000 /* milliseconds between two questions whether a token that was refused is good again  \
	      */

struct open_wait {
	open_call *open; /* what is called when the wait is over */
	struct deferred deferred;
	fuse_ino_t number; /* of the file, or of the directory it is created in */
	bool creates;
	char name[NAME_LENGTH_MAX + 1];
	struct fuse_file_info info;
	struct lookup probe;
	struct store *store; /* referenced while it is probed */
	struct locked_wait memory_wait;
	bool waits_for_memory;
	struct open_wait *next, **link; /* of those that wait for a descriptor */
	struct timer timer;
};

/* A value as large as it may be must still find room behind the one that is let in: there is no
 * waiting later, when its bytes have come. */
static bool has_memory(const struct fs *fs)
{
	struct locked_pool *pool = fs->options.pool;
	size_t reserve = pool->cap / 4 < LARGEST_VALUE ? pool->cap / 4 : LARGEST_VALUE;

	return locked_make_room(pool, reserve);
}

static bool must_probe(const struct fs *fs)
{
	return catalog_unauthorized(fs->catalog) &&
	       loop_now(fs->loop) - catalog_unauthorized_since(fs->catalog) >= PROBE_EVERY;
}

bool open_must_wait(struct fs *fs, fuse_ino_t number, const char *name)
{
	struct inode inode;

	/* What is refused anyway is refused at once. */
	if (fs->stopping || (name && strlen(name) > NAME_LENGTH_MAX))
		return false;
	if (inode_find(fs, number, &inode) != INODE_SECRET && !name)
		return false;
	return inode.store && (must_probe(fs) || !has_memory(fs));
}

static void leave_queue(struct open_wait *pending)
{
	if (!pending->link)
		return;
	*pending->link = pending->next;
	if (pending->next)
		pending->next->link = pending->link;
	else
		pending->deferred.fs->last_open_wait = pending->link;
	pending->next = NULL;
	pending->link = NULL;
}

static void join_queue(struct open_wait *pending)
{
	struct fs *fs = pending->deferred.fs;

	pending->next = NULL;
	pending->link = fs->last_open_wait;
	*fs->last_open_wait = pending;
	fs->last_open_wait = &pending->next;
}

static void open_wait_free(struct open_wait *pending)
{
	struct fs *fs = pending->deferred.fs;

	if (pending->waits_for_memory)
		locked_wait_cancel(fs->options.pool, &pending->memory_wait);
	leave_queue(pending);
	if (pending->store)
		lookup_cancel(&pending->probe);
	store_release(pending->store);
	timer_stop(fs->loop, &pending->timer);
	free(pending);
}

static void refuse(struct open_wait *pending, int error)
{
	deferred_reply_err(&pending->deferred, error);
	open_wait_free(pending);
}

static void interrupted(struct deferred *deferred)
{
	refuse(container_of(deferred, struct open_wait, deferred), EINTR);
}

static const char *name_of(const struct open_wait *pending, const struct inode *inode)
{
	return pending->creates ? pending->name : inode_name(inode);
}

static int record_no_locked_memory(const struct open_wait *pending)
{
	struct fs *fs = pending->deferred.fs;
	struct inode inode;

	inode_find(fs, pending->number, &inode);
	return refusal_record(fs,
			      &(struct audit_event){.operation = "open",
						    .store = inode.store,
						    .name = name_of(pending, &inode)},
			      REFUSAL_NO_LOCKED_MEMORY);
}

static void out_of_time(struct timer *timer)
{
	struct open_wait *pending = container_of(timer, struct open_wait, timer);

	refuse(pending, record_no_locked_memory(pending));
}

static void wait_for_memory(struct open_wait *pending);

/* Does it over; once more without room means to wait once more. */
static void do_over(struct open_wait *pending)
{
	const char *name = pending->creates ? pending->name : NULL;
	fuse_req_t request;
	int error;

	if (!has_memory(pending->deferred.fs)) {
		wait_for_memory(pending);
		return;
	}
	request = pending->deferred.request;
	error = pending->open(request, pending->number, name, &pending->info);
	if (open_may_wait(pending->deferred.fs, name, pending->info.flags, error)) {
		wait_for_memory(pending);
		return;
	}
	deferred_take(&pending->deferred);
	if (error)
		fuse_reply_err(request, error);
	open_wait_free(pending);
}

static void on_memory(struct locked_wait *room)
{
	struct open_wait *pending = container_of(room, struct open_wait, memory_wait);

	pending->waits_for_memory = false;
	do_over(pending);
}

static void wait_for_memory(struct open_wait *pending)
{
	const struct fs *fs = pending->deferred.fs;

	if (has_memory(fs) && fs->process_count >= fs->processes_most) {
		join_queue(pending);
		return;
	}
	pending->memory_wait.available = on_memory;
	pending->waits_for_memory = true;
	locked_wait(pending->deferred.fs->options.pool, &pending->memory_wait);
}

/* As many as there are descriptors for, and each of them once. */
static void serve(struct task *task)
{
	struct fs *fs = container_of(task, struct fs, open_waits_task);
	unsigned waiting = 0;

	for (struct open_wait *pending = fs->first_open_wait; pending; pending = pending->next)
		waiting++;
	while (waiting-- && fs->first_open_wait && fs->process_count < fs->processes_most) {
		struct open_wait *pending = fs->first_open_wait;

		leave_queue(pending);
		do_over(pending);
	}
}

void open_waits_init(struct fs *fs)
{
	fs->last_open_wait = &fs->first_open_wait;
	fs->open_waits_task.run = serve;
}

/* Whatever it says of the name: if the token was taken, the network knows now, and so does the
 * refusal. */
static void on_probe(struct lookup *lookup)
{
	struct open_wait *pending = container_of(lookup, struct open_wait, probe);

	store_release(pending->store);
	pending->store = NULL;
	do_over(pending);
}

/* Asks for the name that is to be written: the cheapest question there is, and its answer is of
 * use. */
static void probe(struct open_wait *pending)
{
	struct fs *fs = pending->deferred.fs;
	struct inode inode;

	inode_find(fs, pending->number, &inode);
	if (!inode.store) {
		do_over(pending);
		return;
	}
	pending->store = store_reference(inode.store);
	pending->probe = (struct lookup){
		.deadline = fs_deadline(fs), .bypass_cache = true, .done = on_probe};
	strcpy(pending->probe.name, name_of(pending, &inode));
	lookup_start(store_secrets(pending->store), &pending->probe);
}

void open_wait_start(struct fs *fs, fuse_req_t request, fuse_ino_t number, const char *name,
		     const struct fuse_file_info *info, open_call *open)
{
	struct open_wait *pending = calloc(1, sizeof *pending);

	if (!pending) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	pending->number = number;
	pending->open = open;
	pending->creates = name != NULL;
	pending->info = *info;
	if (name)
		strcpy(pending->name, name);
	deferred_begin(fs, &pending->deferred, request, interrupted);
	pending->timer.expired = out_of_time;
	if (timer_start(fs->loop, &pending->timer, fs_deadline(fs))) {
		refuse(pending, ENOMEM);
		return;
	}
	if (must_probe(fs))
		probe(pending);
	else
		wait_for_memory(pending);
}

bool open_may_wait(const struct fs *fs, const char *name, int flags, int error)
{
	/* A CREATE that waits holds its directory's lock: nobody could rename or remove there what
	 * is staged. */
	return error == ENOBUFS &&
	       !(name && staging_applies(fs, name, flags) && staging_is_full(fs));
}
