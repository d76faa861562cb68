/* Queues of the changes to one name: each begins when the one before it has ended. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "sstorefs/name_queue.h"

struct name_queue {
	struct catalog *catalog;
	uint32_t listing;
	TAILQ_HEAD(, name_ticket) tickets; /* the first one has begun, or its task is queued */
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
	TAILQ_INIT(&queue->tickets);
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

	if (!queue)
		return -ENOMEM;
	ticket->queue = queue;
	ticket->task = (struct task){.run = begin};
	TAILQ_INSERT_TAIL(&queue->tickets, ticket, link);
	if (TAILQ_FIRST(&queue->tickets) == ticket)
		ticket->begin(ticket);
	return 0;
}

bool name_queue_is_waiting(const struct name_ticket *ticket)
{
	return ticket->queue &&
	       (TAILQ_FIRST(&ticket->queue->tickets) != ticket || task_is_queued(&ticket->task));
}

void name_queue_leave(struct name_ticket *ticket)
{
	struct name_queue *queue = ticket->queue;
	bool was_first;

	if (!queue)
		return;
	was_first = TAILQ_FIRST(&queue->tickets) == ticket;
	TAILQ_REMOVE(&queue->tickets, ticket, link);
	ticket->queue = NULL;
	task_cancel(&ticket->task);
	if (TAILQ_EMPTY(&queue->tickets)) {
		set_remove(&queue->catalog->name_queues, queue);
		free(queue);
	} else if (was_first) {
		/*
		 * Starts the next waiter from the event loop, not recursively: many waiters may
		 * complete immediately.
		 */
		task_queue(queue->catalog->loop, &TAILQ_FIRST(&queue->tickets)->task);
	}
}
