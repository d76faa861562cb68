#pragma once

#include <sys/queue.h>

#include "sstorefs/listing.h"
#include "sstorefs/loop.h"

/*
 * Queues of the changes to one name, which are made one after the other.
 */

/* A place in the queue of a name. Embedded in its owner; zeroed while it is in no queue. */
struct name_ticket {
	void (*begin)(struct name_ticket *ticket);

	struct name_queue *queue; /* internal from here */
	TAILQ_ENTRY(name_ticket) link;
	struct task task;
};

/* Joins the queue of `name` in `listing`; begin() is called when the ticket is the first, perhaps
 * from within. Returns 0 or -ENOMEM. */
int name_queue_join(struct listing *listing, const char *name, struct name_ticket *ticket);

/* True if the ticket is in a queue and has not begun. */
bool name_queue_is_waiting(const struct name_ticket *ticket);

/* Leaves the queue, whether the ticket has begun or not. Does nothing for a zeroed ticket. */
void name_queue_leave(struct name_ticket *ticket);
