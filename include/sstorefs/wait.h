#ifndef SSTOREFS_WAIT_H
#define SSTOREFS_WAIT_H

#include <stddef.h>

/*
 * Somebody who waits for something to happen. Embedded in its owner; zeroed when it waits for
 * nothing.
 */
struct wait {
	void (*woken)(struct wait *wait);
	struct wait *next, **link; /* the list's */
};

/* Those who wait, in no particular order. Zeroed when empty. */
struct wait_list {
	struct wait *first;
};

static inline void wait_begin(struct wait_list *list, struct wait *wait)
{
	wait->next = list->first;
	wait->link = &list->first;
	if (wait->next)
		wait->next->link = &wait->next;
	list->first = wait;
}

static inline void wait_end(struct wait *wait)
{
	if (!wait->link)
		return;
	*wait->link = wait->next;
	if (wait->next)
		wait->next->link = wait->link;
	wait->next = NULL;
	wait->link = NULL;
}

/* Wakes everybody who waits now, once; who waits again is left for the next time. */
static inline void wait_wake_all(struct wait_list *list)
{
	struct wait_list woken = {list->first};
	struct wait *wait;

	if (!woken.first)
		return;
	list->first = NULL;
	woken.first->link = &woken.first;
	while ((wait = woken.first)) {
		wait_end(wait);
		wait->woken(wait);
	}
}

/* The struct of type `type` in which `pointer` is the member `member`. */
#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
