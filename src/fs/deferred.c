/* Requests that are answered later, and their interruption. */
#include "fs_internal.h"
#include "pending_signals.h"
#include "upload.h"

#define SIGNALS_AGAIN_MS 200

/* libfuse calls this with the request lock held: only queue a task, never reply from here. */
static void on_interrupt(fuse_req_t request, void *data)
{
	struct deferred *deferred = data;

	(void)request;
	task_queue(deferred->fs->loop, &deferred->interrupt);
}

/* The kernel sends one FUSE_INTERRUPT for a request. After a signal that can wait, only /proc tells
 * that another one has come. */
static void check_signals(struct deferred *deferred)
{
	struct loop *loop = deferred->fs->loop;
	enum pending_signals pending = pending_signals_of(fuse_req_ctx(deferred->request)->pid);

	if (pending == SIGNALS_INTERRUPT && deferred->is_deciding)
		pending = SIGNALS_CAN_WAIT;
	if (pending == SIGNALS_CAN_WAIT &&
	    timer_start(loop, &deferred->signals_again, loop_now(loop) + SIGNALS_AGAIN_MS) == 0)
		return;
	deferred_interrupt(deferred, pending == SIGNALS_CANCEL);
}

static void interrupt(struct task *task)
{
	check_signals(container_of(task, struct deferred, interrupt));
}

static void look_again(struct timer *timer)
{
	check_signals(container_of(timer, struct deferred, signals_again));
}

void *deferred_new(const struct deferred_kind *kind, fuse_req_t request, struct store *store,
		   const char *name)
{
	struct fs *fs = fuse_req_userdata(request);
	struct deferred *deferred = calloc(1, kind->size);

	if (!deferred) {
		fuse_reply_err(request, ENOMEM);
		return NULL;
	}
	deferred->kind = kind;
	deferred->fs = fs;
	deferred->request = request;
	deferred->store = store ? store_reference(store) : NULL;
	snprintf(deferred->name, sizeof deferred->name, "%s", name);
	deferred->interrupt.run = interrupt;
	deferred->signals_again.expired = look_again;
	LIST_INSERT_HEAD(&fs->deferred, deferred, link);
	fuse_req_interrupt_func(request, on_interrupt, deferred);
	return deferred;
}

void deferred_lookup(struct deferred *deferred, struct listing *listing, bool bypass_cache,
		     void (*done)(struct lookup *lookup))
{
	struct lookup *lookup = &deferred->lookup;

	lookup->deadline = fs_deadline(deferred->fs);
	lookup->bypass_cache = bypass_cache;
	lookup->done = done;
	strcpy(lookup->name, deferred->name);
	lookup_start(listing, lookup);
}

void deferred_change(struct deferred *deferred, struct change_op *change,
		     void (*done)(struct change_op *change))
{
	change->store = deferred->store;
	change->name = deferred->name;
	change->deadline = fs_deadline(deferred->fs);
	change->done = done;
	deferred->change = change;
}

void deferred_audit(const struct deferred *deferred, const char *to, const char *digest,
		    const struct failure *failure)
{
	struct log_actor actor;

	actor_of_request(&actor, deferred->request);
	audit(deferred->fs,
	      &(const struct log_event){.operation = deferred->kind->operation,
					.actor = &actor,
					.store = deferred->store ? store_name(deferred->store) : "",
					.name = deferred->name,
					.to = to,
					.digest = digest,
					.failure = failure,
					.is_change = true});
}

fuse_req_t deferred_take(struct deferred *deferred)
{
	fuse_req_t request = deferred->request;

	if (!request)
		return NULL;
	deferred->request = NULL;
	task_cancel(&deferred->interrupt);
	timer_stop(deferred->fs->loop, &deferred->signals_again);
	LIST_REMOVE(deferred, link);
	return request;
}

void deferred_end(struct deferred *deferred, int error)
{
	fuse_req_t request = deferred_take(deferred);

	if (request)
		fuse_reply_err(request, error);
	lookup_cancel(&deferred->lookup);
	wait_end(&deferred->wait);
	timer_stop(deferred->fs->loop, &deferred->timer);
	upload_release(deferred->upload);
	if (deferred->kind->finish)
		deferred->kind->finish(deferred);
	store_release(deferred->store);
	free(deferred);
}

void deferred_interrupt(struct deferred *deferred, bool cancels_upload)
{
	deferred->cancels_upload = cancels_upload;
	if (deferred->kind->cancel)
		deferred->kind->cancel(deferred);
	else if (deferred->change)
		change_op_cancel(deferred->change);
	deferred_end(deferred, EINTR);
}

void deferred_abandon_handles(struct fs *fs)
{
	struct deferred *deferred, *next;

	for (deferred = LIST_FIRST(&fs->deferred); deferred; deferred = next) {
		next = LIST_NEXT(deferred, link);
		if (deferred->kind->needs_handle)
			deferred_interrupt(deferred, false);
	}
}
