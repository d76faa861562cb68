/* A binary heap of running timers. */
#include "timer_heap.h"

#include <errno.h>
#include <stdlib.h>

static void place(struct timer_heap *heap, struct timer *timer, size_t position)
{
	heap->timers[position] = timer;
	timer->position = position;
}

static void rise(struct timer_heap *heap, struct timer *timer)
{
	size_t position = timer->position;

	while (position > 1 && heap->timers[position / 2]->at > timer->at) {
		place(heap, heap->timers[position / 2], position);
		position /= 2;
	}
	place(heap, timer, position);
}

static void sink(struct timer_heap *heap, struct timer *timer)
{
	size_t position = timer->position;

	for (size_t child; (child = 2 * position) <= heap->count; position = child) {
		if (child < heap->count && heap->timers[child + 1]->at < heap->timers[child]->at)
			child++;
		if (heap->timers[child]->at >= timer->at)
			break;
		place(heap, heap->timers[child], position);
	}
	place(heap, timer, position);
}

int timer_heap_put(struct timer_heap *heap, struct timer *timer)
{
	if (!timer->position) {
		if (heap->count + 1 >= heap->size) {
			size_t size = heap->size ? 2 * heap->size : 64;
			struct timer **timers = reallocarray(heap->timers, size, sizeof(*timers));

			if (!timers)
				return -ENOMEM;
			heap->timers = timers;
			heap->size = size;
		}
		place(heap, timer, ++heap->count);
	}
	rise(heap, timer);
	sink(heap, timer);
	return 0;
}

void timer_heap_take(struct timer_heap *heap, struct timer *timer)
{
	size_t position = timer->position;

	if (!position)
		return;
	timer->position = 0;
	struct timer *last = heap->timers[heap->count--];

	if (last == timer)
		return;
	place(heap, last, position);
	rise(heap, last);
	sink(heap, last);
}

struct timer *timer_heap_first(const struct timer_heap *heap)
{
	return heap->count ? heap->timers[1] : NULL;
}

void timer_heap_finish(struct timer_heap *heap)
{
	for (size_t position = 1; position <= heap->count; position++)
		heap->timers[position]->position = 0;
	free(heap->timers);
	*heap = (struct timer_heap){0};
}
