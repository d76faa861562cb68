/*
 * Turns: who wants to change one name waits for those who asked before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "sstorefs/change.h"

struct turn_queue {
	struct catalog *catalog;
	uint32_t listing;
	struct turn *first, **last;
	char name[];
};

int compare_turn_queues(const void *a, const void *b)
{
	const struct turn_queue *left = a, *right = b;

	if (left->listing != right->listing)
		return left->listing < right->listing ? -1 : 1;
	return strcmp(left->name, right->name);
}

static struct turn_queue *queue_of(struct listing *listing, const char *name)
{
	struct catalog *catalog = listing->catalog;
	struct turn_queue *queue = calloc(1, sizeof *queue + strlen(name) + 1), *found;

	if (!queue)
		return NULL;
	queue->catalog = catalog;
	queue->listing = listing->number;
	queue->last = &queue->first;
	strcpy(queue->name, name);
	found = tree_add(&catalog->turns, queue);
	if (found != queue)
		free(queue);
	return found;
}

static void begin(struct task *task)
{
	struct turn *turn = container_of(task, struct turn, task);

	turn->begin(turn);
}

int turn_take(struct listing *listing, const char *name, struct turn *turn)
{
	struct turn_queue *queue = queue_of(listing, name);
	bool alone;

	if (!queue)
		return -ENOMEM;
	alone = !queue->first;
	turn->queue = queue;
	turn->next = NULL;
	turn->task = (struct task){.run = begin};
	*queue->last = turn;
	queue->last = &turn->next;
	if (alone)
		turn->begin(turn);
	return 0;
}

bool turn_is_to_come(const struct turn *turn)
{
	return turn->queue && (turn->queue->first != turn || turn->task.link);
}

void turn_end(struct turn *turn)
{
	struct turn_queue *queue = turn->queue;
	struct turn **link;
	bool was_first;

	if (!queue)
		return;
	was_first = queue->first == turn;
	for (link = &queue->first; *link != turn; link = &(*link)->next)
		;
	*link = turn->next;
	if (queue->last == &turn->next)
		queue->last = link;
	turn->queue = NULL;
	task_cancel(&turn->task);
	if (!queue->first) {
		tree_remove(&queue->catalog->turns, queue);
		free(queue);
	} else if (was_first) {
		/* In a turn of the loop of its own: a row of turns that end at once must not nest. */
		task_queue(queue->catalog->loop, &queue->first->task);
	}
}
