#pragma once

#include <stddef.h>

#include "sstorefs/loop.h"

/* The running timers of a loop as a binary heap, the nearest on top. `timers[0]` is never used. */
struct timer_heap {
	struct timer **timers;
	size_t count;
	size_t size;
};

void timer_heap_finish(struct timer_heap *heap);

/* Puts `timer` in, or moves it if it is in already, to where its `at` belongs. Returns 0 or
 * -ENOMEM. */
int timer_heap_put(struct timer_heap *heap, struct timer *timer);

/* Takes `timer` out; nothing if it is not in. */
void timer_heap_take(struct timer_heap *heap, struct timer *timer);

/* The nearest timer, NULL if none runs. */
struct timer *timer_heap_first(const struct timer_heap *heap);
