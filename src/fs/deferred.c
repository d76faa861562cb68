/*
 * Requests that are answered later, and the kernel's wish to end them early.
 */
#include <errno.h>

#include "fs_internal.h"

/* libfuse holds the request's lock here, so nothing is done but to remember it for the loop's next turn. */
static void interrupt_came(fuse_req_t request, void *data)
{
	struct late *late = data;

	(void)request;
	task_queue(late->fs->loop, &late->task);
}

static void interrupt(struct task *task)
{
	struct late *late = container_of(task, struct late, task);

	late->interrupted(late);
}

void late_begin(struct fs *fs, struct late *late, fuse_req_t request, void (*interrupted)(struct late *late))
{
	*late = (struct late){
		.fs = fs, .request = request, .interrupted = interrupted, .task = {.run = interrupt}};
	late->next = fs->first_late;
	late->link = &fs->first_late;
	if (late->next)
		late->next->link = &late->next;
	fs->first_late = late;
	fuse_req_interrupt_func(request, interrupt_came, late);
}

fuse_req_t late_take(struct late *late)
{
	fuse_req_t request = late->request;

	if (!request)
		return NULL;
	late->request = NULL;
	task_cancel(&late->task);
	*late->link = late->next;
	if (late->next)
		late->next->link = late->link;
	return request;
}

void late_error(struct late *late, int error)
{
	fuse_req_t request = late_take(late);

	if (request)
		fuse_reply_err(request, error);
}
