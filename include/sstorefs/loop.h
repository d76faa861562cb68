#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * The loop: one thread waits here for descriptors, timers and tasks, and calls back. Callbacks
 * never wait; they may start and stop anything, themselves included.
 */
struct loop;

/* A descriptor to be read, or written. Embedded in its owner, which keeps it until watch_stop. */
struct watch {
	int fd;
	bool writes; /* called when there is room to write; else when there is something to read */
	void (*readable)(struct watch *watch);
	struct loop *loop; /* NULL while it is not watched */
};

/* A moment to be called at. Embedded; a zeroed timer is one that does not run. */
struct timer {
	void (*expired)(struct timer *timer);
	uint64_t at;	 /* CLOCK_BOOTTIME, milliseconds */
	size_t position; /* in the heap of the loop, from 1; 0 while it does not run */
};

/* Something to be done in a later turn, once. Embedded; a zeroed task is one that is not queued. */
struct task {
	void (*run)(struct task *task);
	LIST_ENTRY(task) queued; /* kept by the loop */
};

/* Another source of events: with it set, the loop calls wait() in place of poll() while `busy`
 * returns true, and iterate() in each of its turns. The network is the one that needs it
 * (curl_multi_poll, curl_multi_perform). */
struct loop_poller {
	bool (*busy)(struct loop_poller *poller);
	int (*wait)(struct loop_poller *poller, struct pollfd *fds, unsigned count, int timeout);
	void (*iterate)(struct loop_poller *poller);
};

/* Makes a loop. Returns 0 or -ENOMEM. */
int loop_new(struct loop **loop);

/* Frees the loop; NULL: nothing. What was started on it counts as stopped then. */
void loop_free(struct loop *loop);

/* Sets the other source of events, which is borrowed; NULL: there is none any more. */
void loop_set_poller(struct loop *loop, struct loop_poller *poller);

/* Runs until loop_stop. Returns 0 or a negative errno when the loop itself failed. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* The time of this turn, CLOCK_BOOTTIME in milliseconds. */
uint64_t loop_now(const struct loop *loop);

/* Begin and end to watch a descriptor. Starting returns 0 or -ENOMEM; one that is not watched is
 * stopped without effect. */
int watch_start(struct loop *loop, struct watch *watch);
void watch_stop(struct watch *watch);

/* (Re)starts `timer` for `at`. Returns 0 or -ENOMEM. */
int timer_start(struct loop *loop, struct timer *timer, uint64_t at);
void timer_stop(struct loop *loop, struct timer *timer);

/* Queues `task` for the next turn; nothing if it is queued already. */
void task_queue(struct loop *loop, struct task *task);
void task_cancel(struct task *task);
bool task_is_queued(const struct task *task);
