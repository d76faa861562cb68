#pragma once

#include <stddef.h>
#include <sys/queue.h>

/* A waiter for an event. Embedded in its owner; zeroed when it waits for nothing. */
struct wait {
	void (*woken)(struct wait *wait);
	LIST_ENTRY(wait) waiting; /* kept by the list; le_prev is NULL outside of one */
};

/* All that wait for one thing, in no particular order. Zeroed when empty. */
LIST_HEAD(wait_list, wait);

/* Adds `wait`, which is in no list, with `woken` set. */
static inline void wait_begin(struct wait_list *list, struct wait *wait)
{
	LIST_INSERT_HEAD(list, wait, waiting);
}

/* Takes `wait` out of its list without waking it; nothing for one that waits for nothing. */
static inline void wait_end(struct wait *wait)
{
	if (!wait->waiting.le_prev)
		return;
	LIST_REMOVE(wait, waiting);
	wait->waiting.le_prev = NULL;
}

/* Wakes each that waits now, once; one that waits again is left for the next time. */
static inline void wait_wake_all(struct wait_list *list)
{
	struct wait_list woken = *list;
	struct wait *wait = LIST_FIRST(list);

	if (!wait)
		return;
	wait->waiting.le_prev = &LIST_FIRST(&woken);
	LIST_INIT(list);
	while ((wait = LIST_FIRST(&woken))) {
		wait_end(wait);
		wait->woken(wait);
	}
}

/* The struct of type `type` in which `pointer` is the member `member`. */
#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))
