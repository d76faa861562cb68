/* Queues of those who change one name: one begins when the one before it has ended. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "sstorefs/change.h"

struct name_queue {
	struct catalog *catalog;
	uint32_t listing;
	struct name_ticket *first, **last;
	char name[];
};

int name_queues_compare(const void *a, const void *b)
{
	const struct name_queue *left = a, *right = b;

	if (left->listing != right->listing)
		return left->listing < right->listing ? -1 : 1;
	return strcmp(left->name, right->name);
}

static struct name_queue *queue_of(struct listing *listing, const char *name)
{
	struct catalog *catalog = listing->catalog;
	struct name_queue *queue = calloc(1, sizeof *queue + strlen(name) + 1), *found;

	if (!queue)
		return NULL;
	queue->catalog = catalog;
	queue->listing = listing->number;
	queue->last = &queue->first;
	strcpy(queue->name, name);
	found = set_add(&catalog->name_queues, queue);
	if (found != queue)
		free(queue);
	return found;
}

static void begin(struct task *task)
{
	struct name_ticket *ticket = container_of(task, struct name_ticket, task);

	ticket->begin(ticket);
}

int name_queue_join(struct listing *listing, const char *name, struct name_ticket *ticket)
{
	struct name_queue *queue = queue_of(listing, name);
	bool alone;

	if (!queue)
		return -ENOMEM;
	alone = !queue->first;
	ticket->queue = queue;
	ticket->next = NULL;
	ticket->task = (struct task){.run = begin};
	*queue->last = ticket;
	queue->last = &ticket->next;
	if (alone)
		ticket->begin(ticket);
	return 0;
}

bool name_queue_is_waiting(const struct name_ticket *ticket)
{
	return ticket->queue && (ticket->queue->first != ticket || ticket->task.link);
}

void name_queue_leave(struct name_ticket *ticket)
{
	struct name_queue *queue = ticket->queue;
	struct name_ticket **link;
	bool was_first;

	if (!queue)
		return;
	was_first = queue->first == ticket;
	for (link = &queue->first; *link != ticket; link = &(*link)->next)
		;
	*link = ticket->next;
	if (queue->last == &ticket->next)
		queue->last = link;
	ticket->queue = NULL;
	task_cancel(&ticket->task);
	if (!queue->first) {
		set_remove(&queue->catalog->name_queues, queue);
		free(queue);
	} else if (was_first) {
		/*
		 * Starts the next waiter from the event loop, not recursively: many waiters may
		 * complete immediately.
		 */
		task_queue(queue->catalog->loop, &queue->first->task);
	}
}
