/* The event loop: waits, watches descriptors, runs tasks and timers. */
#include "sstorefs/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "sstorefs/clock.h"

/* The running timers as a binary heap, the nearest on top. `timers[0]` is never used. */
struct timer_heap {
	struct timer **timers;
	size_t count;
	size_t size;
};

struct loop {
	/* Side by side, so that poll can have `fds` as it is. A stopped watch is NULL until
	 * compaction. */
	struct pollfd *fds;
	struct watch **watches;
	unsigned count, size;
	bool holes;

	struct timer_heap timers;

	/* All queued tasks, in order: those of this turn, `mark`, those of later turns, `end`. */
	LIST_HEAD(, task) tasks;
	struct task mark, end;

	struct loop_poller *poller;
	uint64_t now;
	bool stopped;
};

static void heap_place(struct timer_heap *heap, struct timer *timer, size_t position)
{
	heap->timers[position] = timer;
	timer->position = position;
}

static void heap_rise(struct timer_heap *heap, struct timer *timer)
{
	size_t position = timer->position;

	while (position > 1 && heap->timers[position / 2]->at > timer->at) {
		heap_place(heap, heap->timers[position / 2], position);
		position /= 2;
	}
	heap_place(heap, timer, position);
}

static void heap_sink(struct timer_heap *heap, struct timer *timer)
{
	size_t position = timer->position;

	for (size_t child; (child = 2 * position) <= heap->count; position = child) {
		if (child < heap->count && heap->timers[child + 1]->at < heap->timers[child]->at)
			child++;
		if (heap->timers[child]->at >= timer->at)
			break;
		heap_place(heap, heap->timers[child], position);
	}
	heap_place(heap, timer, position);
}

/* The nearest timer, NULL if none runs. */
static struct timer *heap_first(const struct timer_heap *heap)
{
	return heap->count ? heap->timers[1] : NULL;
}

int timer_start(struct loop *loop, struct timer *timer, uint64_t at)
{
	struct timer_heap *heap = &loop->timers;

	timer->at = at;
	if (!timer->position) {
		if (heap->count + 1 >= heap->size) {
			size_t size = heap->size ? 2 * heap->size : 64;
			struct timer **timers = reallocarray(heap->timers, size, sizeof(*timers));

			if (!timers)
				return -ENOMEM;
			heap->timers = timers;
			heap->size = size;
		}
		heap_place(heap, timer, ++heap->count);
	}
	heap_rise(heap, timer);
	heap_sink(heap, timer);
	return 0;
}

void timer_stop(struct loop *loop, struct timer *timer)
{
	struct timer_heap *heap = &loop->timers;
	size_t position = timer->position;

	if (!position)
		return;
	timer->position = 0;
	struct timer *last = heap->timers[heap->count--];

	if (last == timer)
		return;
	heap_place(heap, last, position);
	heap_rise(heap, last);
	heap_sink(heap, last);
}

static void task_remove(struct task *task)
{
	LIST_REMOVE(task, queued);
	task->queued.le_prev = NULL;
}

int loop_new(struct loop **made)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	LIST_INSERT_HEAD(&loop->tasks, &loop->end, queued);
	LIST_INSERT_BEFORE(&loop->end, &loop->mark, queued);
	loop->now = clock_boottime();
	*made = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	for (unsigned i = 0; i < loop->count; i++) {
		if (loop->watches[i])
			loop->watches[i]->loop = NULL;
	}
	task_remove(&loop->mark);
	while (LIST_FIRST(&loop->tasks) != &loop->end)
		task_remove(LIST_FIRST(&loop->tasks));
	for (size_t i = 1; i <= loop->timers.count; i++)
		loop->timers.timers[i]->position = 0;
	free(loop->timers.timers);
	free(loop->fds);
	free(loop->watches);
	free(loop);
}

void loop_set_poller(struct loop *loop, struct loop_poller *poller)
{
	loop->poller = poller;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

uint64_t loop_now(const struct loop *loop)
{
	return loop->now;
}

/* Closes the gaps that stopped watches left; only between turns, since callbacks stop watches at
 * any time. */
static void watches_compact(struct loop *loop)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < loop->count; i++) {
		if (!loop->watches[i])
			continue;
		loop->watches[kept] = loop->watches[i];
		loop->fds[kept++] = loop->fds[i];
	}
	loop->count = kept;
	loop->holes = false;
}

static void watches_call(struct loop *loop)
{
	/* A watch that starts meanwhile is behind `count`, or was not polled and has no events. */
	unsigned count = loop->count;

	for (unsigned i = 0; i < count; i++) {
		if (loop->fds[i].revents && loop->watches[i])
			loop->watches[i]->readable(loop->watches[i]);
	}
}

static void timers_call(struct loop *loop)
{
	/* One that restarts itself for a moment that is past gets the next turn, not this one
	 * again. */
	size_t most = loop->timers.count;
	struct timer *timer;

	while (most-- && (timer = heap_first(&loop->timers)) && timer->at <= loop->now) {
		timer_stop(loop, timer);
		timer->expired(timer);
	}
}

static void tasks_call(struct loop *loop)
{
	struct task *task;

	while ((task = LIST_FIRST(&loop->tasks)) != &loop->mark) {
		task_remove(task);
		task->run(task);
	}
}

/* How long this turn may wait, in poll's terms. */
static int turn_timeout(const struct loop *loop)
{
	const struct timer *timer = heap_first(&loop->timers);

	if (LIST_FIRST(&loop->tasks) != &loop->mark)
		return 0;
	if (!timer)
		return -1;
	if (timer->at <= loop->now)
		return 0;
	return timer->at - loop->now < INT_MAX ? (int)(timer->at - loop->now) : INT_MAX;
}

static int turn_wait(struct loop *loop)
{
	struct loop_poller *poller = loop->poller;
	int timeout = turn_timeout(loop);

	if (poller && poller->busy(poller))
		return poller->wait(poller, loop->fds, loop->count, timeout);
	return poll(loop->fds, loop->count, timeout) < 0 ? -errno : 0;
}

static int turn(struct loop *loop)
{
	task_remove(&loop->mark);
	LIST_INSERT_BEFORE(&loop->end, &loop->mark, queued);
	if (loop->holes)
		watches_compact(loop);

	int failed = turn_wait(loop);

	loop->now = clock_boottime();
	if (failed == -EINTR) {
		/* poll has left the events of an earlier turn here. */
		for (unsigned i = 0; i < loop->count; i++)
			loop->fds[i].revents = 0;
	} else if (failed < 0) {
		return failed;
	}

	watches_call(loop);
	if (loop->poller)
		loop->poller->iterate(loop->poller);
	timers_call(loop);
	tasks_call(loop);
	return 0;
}

int loop_run(struct loop *loop)
{
	int failed = 0;

	while (!loop->stopped && !failed)
		failed = turn(loop);
	loop->stopped = false;
	return failed;
}

int watch_start(struct loop *loop, struct watch *watch)
{
	if (loop->count == loop->size) {
		unsigned size = loop->size ? 2 * loop->size : 8;
		struct pollfd *fds = reallocarray(loop->fds, size, sizeof(*fds));

		if (!fds)
			return -ENOMEM;
		loop->fds = fds;
		struct watch **watches = reallocarray(loop->watches, size, sizeof(*watches));

		if (!watches)
			return -ENOMEM;
		loop->watches = watches;
		loop->size = size;
	}
	loop->fds[loop->count] =
		(struct pollfd){.fd = watch->fd, .events = watch->writes ? POLLOUT : POLLIN};
	loop->watches[loop->count++] = watch;
	watch->loop = loop;
	return 0;
}

void watch_stop(struct watch *watch)
{
	struct loop *loop = watch->loop;

	if (!loop)
		return;
	for (unsigned i = 0; i < loop->count; i++) {
		if (loop->watches[i] == watch) {
			loop->watches[i] = NULL;
			loop->holes = true;
		}
	}
	watch->loop = NULL;
}

void task_queue(struct loop *loop, struct task *task)
{
	if (!task_is_queued(task))
		LIST_INSERT_BEFORE(&loop->end, task, queued);
}

void task_cancel(struct task *task)
{
	if (task_is_queued(task))
		task_remove(task);
}

bool task_is_queued(const struct task *task)
{
	return task->queued.le_prev != NULL;
}
