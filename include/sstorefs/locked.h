#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * Locked memory: where values and tokens live. It is not swapped, not dumped, and wiped when it is
 * given back. Locked memory is scarce, so a pool caps what is held and lets callers wait for
 * memory.
 */
struct locked_wait {
	/* Called once, from locked_free, when memory may be available again. */
	void (*available)(struct locked_wait *wait);
	TAILQ_ENTRY(locked_wait) queued; /* kept by the pool; tqe_prev is NULL outside of it */
};

struct locked_pool {
	size_t cap;  /* bytes that may be held at once */
	size_t held; /* bytes held now, in whole pages */
	TAILQ_HEAD(, locked_wait) waiting;
	bool serving; /* the queue is being called right now */
	/* Frees something that is held only because there was room, and returns true; false: there
	 * is no such thing. NULL: there never is. */
	bool (*reclaim)(void *context);
	void *reclaim_context;
};

/* `cap` in bytes; 0 finds out what the process may lock (RLIMIT_MEMLOCK, CAP_IPC_LOCK) and takes
 * most of it, 64 MiB at most. */
void locked_pool_init(struct locked_pool *pool, size_t cap);

/*
 * Bytes in locked memory, growing as they come. A zeroed struct with `pool` set is empty. With
 * `pool` NULL it is ordinary memory, wiped all the same: for bodies that hold nothing secret.
 */
struct locked {
	struct locked_pool *pool;
	uint8_t *data;
	size_t length;
	size_t size; /* what `data` has room for */
};

/* Makes room for `size` bytes in all, keeping the content. Returns 0, -ENOBUFS when the pool or the
 * system has no more locked memory (the content is untouched), -ENOMEM. */
int locked_reserve(struct locked *locked, size_t size);

/* Appends bytes. Returns as locked_reserve does. */
int locked_append(struct locked *locked, const void *data, size_t length);

/* Wipes and frees. The struct is empty afterwards and can be used again. */
void locked_free(struct locked *locked);

/* Frees what is held only because there was room, until `size` more bytes can be held. Returns
 * whether they can. */
bool locked_make_room(struct locked_pool *pool, size_t size);

/* Queues `wait` until something is given back; first come, first served. */
void locked_wait(struct locked_pool *pool, struct locked_wait *wait);
void locked_wait_cancel(struct locked_pool *pool, struct locked_wait *wait);
