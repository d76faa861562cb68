/* Requests that are answered later, and interrupts of them. */
#include <errno.h>

#include "deferred.h"
#include "fs_internal.h"

/* libfuse calls this with the request lock held: only queue a task, never reply from here. */
static void on_interrupt(fuse_req_t request, void *data)
{
	struct deferred *deferred = data;

	(void)request;
	task_queue(deferred->fs->loop, &deferred->task);
}

static void interrupt(struct task *task)
{
	struct deferred *deferred = container_of(task, struct deferred, task);

	deferred->interrupted(deferred);
}

void deferred_begin(struct fs *fs, struct deferred *deferred, fuse_req_t request,
		    void (*interrupted)(struct deferred *deferred))
{
	*deferred = (struct deferred){.fs = fs,
				      .request = request,
				      .interrupted = interrupted,
				      .task = {.run = interrupt}};
	deferred->next = fs->first_deferred;
	deferred->link = &fs->first_deferred;
	if (deferred->next)
		deferred->next->link = &deferred->next;
	fs->first_deferred = deferred;
	fuse_req_interrupt_func(request, on_interrupt, deferred);
}

fuse_req_t deferred_take(struct deferred *deferred)
{
	fuse_req_t request = deferred->request;

	if (!request)
		return NULL;
	deferred->request = NULL;
	task_cancel(&deferred->task);
	*deferred->link = deferred->next;
	if (deferred->next)
		deferred->next->link = deferred->link;
	return request;
}

void deferred_reply_err(struct deferred *deferred, int error)
{
	fuse_req_t request = deferred_take(deferred);

	if (request)
		fuse_reply_err(request, error);
}

uint64_t fs_deadline(const struct fs *fs)
{
	return loop_now(fs->loop) + fs->config->timeout;
}

void open_waits_continue(struct fs *fs)
{
	if (fs->first_open_wait)
		task_queue(fs->loop, &fs->open_waits_task);
}
