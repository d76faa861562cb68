/* Requests that are answered later, and their interruption. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "deferred.h"
#include "fs_internal.h"

/* libfuse calls this with the request lock held: only queue a task, never reply from here. */
static void on_interrupt(fuse_req_t request, void *data)
{
	struct deferred *deferred = data;

	(void)request;
	task_queue(deferred->fs->loop, &deferred->interrupt);
}

static void interrupt(struct task *task)
{
	deferred_interrupt(container_of(task, struct deferred, interrupt));
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
	LIST_INSERT_HEAD(&fs->deferred, deferred, link);
	fuse_req_interrupt_func(request, on_interrupt, deferred);
	return deferred;
}

fuse_req_t deferred_take(struct deferred *deferred)
{
	fuse_req_t request = deferred->request;

	if (!request)
		return NULL;
	deferred->request = NULL;
	task_cancel(&deferred->interrupt);
	LIST_REMOVE(deferred, link);
	return request;
}

void deferred_end(struct deferred *deferred, int error)
{
	fuse_req_t request = deferred_take(deferred);

	if (request)
		fuse_reply_err(request, error);
	if (deferred->kind->finish)
		deferred->kind->finish(deferred);
	store_release(deferred->store);
	free(deferred);
}

void deferred_interrupt(struct deferred *deferred)
{
	if (deferred->kind->cancel)
		deferred->kind->cancel(deferred);
	deferred_end(deferred, EINTR);
}

uint64_t fs_deadline(const struct fs *fs)
{
	return loop_now(fs->loop) + fs->config->timeout;
}

void open_waits_continue(struct fs *fs)
{
	if (!TAILQ_EMPTY(&fs->open_waits))
		task_queue(fs->loop, &fs->open_waits_task);
}
