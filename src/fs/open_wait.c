/*
 * An OPEN or CREATE that waits: for a call that tells whether a refused token is accepted again,
 * for locked memory, or for a process descriptor.
 */
#include "open_wait.h"
#include "fs_internal.h"
#include "staging.h"

#define LARGEST_VALUE	  (128u << 10) /* bytes of locked memory that a value may come to need */
#define PROBE_INTERVAL_MS 3000	       /* between two tries of a token that was refused */

struct open_wait {
	struct deferred deferred; /* `store` and `name` are those of the secret */
	open_call *open;	  /* called when the wait is over */
	fuse_ino_t number;	  /* of the file, or of the directory it is created in */
	bool creates;
	struct fuse_file_info info;
	struct locked_wait memory_wait;
	TAILQ_ENTRY(open_wait)
	queue; /* of fs->open_waits; tqe_prev is NULL while it is not in it */
};

/* True if the pool has room for the largest value beside the open that is let in: WRITE cannot wait
 * for memory later. */
static bool has_memory(const struct fs *fs)
{
	struct locked_pool *pool = fs->options.pool;
	size_t reserve = pool->cap / 4 < LARGEST_VALUE ? pool->cap / 4 : LARGEST_VALUE;

	return locked_make_room(pool, reserve);
}

static bool must_probe(const struct fs *fs)
{
	return catalog_unauthorized(fs->catalog) &&
	       loop_now(fs->loop) - catalog_unauthorized_since(fs->catalog) >= PROBE_INTERVAL_MS;
}

bool open_must_wait(struct fs *fs, fuse_ino_t number, const char *name)
{
	struct inode inode;

	/* An open that will be refused is refused at once. */
	if (fs->stopping || (name && strlen(name) > NAME_LENGTH_MAX))
		return false;
	if (inode_find(fs, number, &inode) != INODE_SECRET && !name)
		return false;
	return inode.store && (must_probe(fs) || !has_memory(fs));
}

static void leave_queue(struct open_wait *pending)
{
	if (!pending->queue.tqe_prev)
		return;
	TAILQ_REMOVE(&pending->deferred.fs->open_waits, pending, queue);
	pending->queue.tqe_prev = NULL;
}

static void finish(struct deferred *deferred)
{
	struct open_wait *pending = container_of(deferred, struct open_wait, deferred);

	locked_wait_cancel(deferred->fs->options.pool, &pending->memory_wait);
	leave_queue(pending);
}

static const struct deferred_kind open_kind = {"open", sizeof(struct open_wait), NULL, finish};

static void end(struct open_wait *pending, int error)
{
	count_open(&pending->deferred.fs->writes, pending->info.flags, error);
	deferred_end(&pending->deferred, error);
}

static void on_deadline(struct timer *timer)
{
	struct deferred *deferred = container_of(timer, struct deferred, timer);

	end(container_of(deferred, struct open_wait, deferred),
	    refusal_record(deferred->fs, "open", deferred->store, deferred->name,
			   REFUSAL_NO_LOCKED_MEMORY));
}

static void wait_for_memory(struct open_wait *pending);
static void retry_waiting(struct task *task);

/* Tries the open again, and waits again where there is still no room. */
static void retry(struct open_wait *pending)
{
	const char *name = pending->creates ? pending->deferred.name : NULL;
	struct fs *fs = pending->deferred.fs;
	int error;

	if (!has_memory(fs)) {
		wait_for_memory(pending);
		return;
	}
	error = pending->open(pending->deferred.request, pending->number, name, &pending->info);
	if (open_may_wait(fs, name, pending->info.flags, error)) {
		wait_for_memory(pending);
		return;
	}
	if (!error) /* it has replied */
		deferred_take(&pending->deferred);
	end(pending, error);
}

static void on_memory(struct locked_wait *room)
{
	retry(container_of(room, struct open_wait, memory_wait));
}

static void wait_for_memory(struct open_wait *pending)
{
	struct fs *fs = pending->deferred.fs;

	if (has_memory(fs) && fs->process_count >= fs->processes_most) {
		TAILQ_INSERT_TAIL(&fs->open_waits, pending, queue);
		fs->open_waits_task.run = retry_waiting;
		return;
	}
	pending->memory_wait.available = on_memory;
	locked_wait(fs->options.pool, &pending->memory_wait);
}

/* Retries as many opens as there are descriptors for, each of them once. */
static void retry_waiting(struct task *task)
{
	struct fs *fs = container_of(task, struct fs, open_waits_task);
	struct open_wait *pending;
	unsigned waiting = 0;

	TAILQ_FOREACH (pending, &fs->open_waits, queue)
		waiting++;
	while (waiting-- && !TAILQ_EMPTY(&fs->open_waits) &&
	       fs->process_count < fs->processes_most) {
		pending = TAILQ_FIRST(&fs->open_waits);
		leave_queue(pending);
		retry(pending);
	}
}

/* The network knows by now whether the token is accepted, which open checks. What the lookup found
 * is not needed. */
static void on_probe(struct lookup *lookup)
{
	retry(container_of(lookup, struct open_wait, deferred.lookup));
}

void open_wait_start(struct fs *fs, fuse_req_t request, fuse_ino_t number, const char *name,
		     const struct fuse_file_info *info, open_call *open)
{
	struct open_wait *pending;
	struct deferred *deferred;
	struct inode inode;

	inode_find(fs, number, &inode);
	pending = deferred_new(&open_kind, request, inode.store, name ? name : inode_name(&inode));
	if (!pending)
		return;
	pending->number = number;
	pending->open = open;
	pending->creates = name != NULL;
	pending->info = *info;
	deferred = &pending->deferred;
	deferred->timer.expired = on_deadline;
	/* A little later than the lookup, which has the same deadline and explains it better. */
	if (timer_start(fs->loop, &deferred->timer, fs_deadline(fs) + 100))
		end(pending, ENOMEM);
	else if (!must_probe(fs))
		wait_for_memory(pending);
	else if (!deferred->store)
		retry(pending);
	else /* looks up the name that is to be written: no call is cheaper, or of more use */
		deferred_lookup(deferred, store_secrets(deferred->store), true, on_probe);
}

bool open_may_wait(const struct fs *fs, const char *name, int flags, int error)
{
	/* A CREATE that waits holds the lock of its directory in the kernel: nothing that is staged
	 * there could be renamed or removed meanwhile. */
	return error == ENOBUFS &&
	       !(name && staging_applies(fs, name, flags) && staging_is_full(fs));
}
