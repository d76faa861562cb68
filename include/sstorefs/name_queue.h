#ifndef SSTOREFS_NAME_QUEUE_H
#define SSTOREFS_NAME_QUEUE_H

#include "sstorefs/listing.h"
#include "sstorefs/loop.h"

/*
 * Queues of those who change one name, so that they do it one after the other.
 */

/* A name's turn: the queue of those who change it. */
struct name_ticket {
	void (*begin)(struct name_ticket *ticket);
	struct name_ticket *next;
	struct name_queue *queue;
	struct task task;
};

/* Queues for `name` in `listing`; begin() is called once it is this turn's, perhaps at once. A
 * failure to queue (no memory) is -ENOMEM. */
int name_queue_join(struct listing *listing, const char *name, struct name_ticket *ticket);

/* Whether it has been queued for and has not begun. */
bool name_queue_is_waiting(const struct name_ticket *ticket);

/* Gives the turn up, begun or not. Nothing for a zeroed one. */
void name_queue_leave(struct name_ticket *ticket);

#endif
