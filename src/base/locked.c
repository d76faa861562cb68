/* Allocates locked memory, and rations it among callers that wait for some. */
#include "sstorefs/locked.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOCKED_CAP_MAX (UINT64_C(64) << 20)
#define PLAIN_SIZE_MIN 64
#define DOUBLES_UP_TO  (64u << 10)

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* MAP_FAILED when there is no more. */
static void *map_private(size_t size, int access, int flags)
{
	/* cppcheck-suppress invalidFunctionArg ; -1 goes with MAP_ANONYMOUS */
	return mmap(NULL, size, access, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

/*
 * Whether more than `limit` bytes may be locked, found out by trying: CAP_IPC_LOCK lifts the limit,
 * but not in a user namespace, where it looks the same. Memory without access is checked and not
 * touched.
 */
static bool may_lock_more_than(size_t limit)
{
	size_t size = limit + page_size();
	void *memory = map_private(size, PROT_NONE, MAP_NORESERVE | MAP_LOCKED);

	return memory != MAP_FAILED && !munmap(memory, size);
}

static size_t find_cap(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
		return 0;
	if (limit.rlim_cur >= LOCKED_CAP_MAX / 3 * 4 || may_lock_more_than(limit.rlim_cur))
		return LOCKED_CAP_MAX;
	/* A quarter is left for what others lock: the receive buffer, libsodium. */
	return limit.rlim_cur / 4 * 3;
}

void locked_pool_init(struct locked_pool *pool, size_t cap)
{
	memset(pool, 0, sizeof(*pool));
	pool->cap = cap ? cap : find_cap();
	TAILQ_INIT(&pool->waiting);
}

/* Doubling, so that many small appends cost few moves; above DOUBLES_UP_TO only what is wanted, in
 * whole pages: it is scarce. */
static size_t grown(size_t size, size_t wanted)
{
	while (size < wanted && size < DOUBLES_UP_TO)
		size *= 2;
	if (size < wanted)
		size = (wanted + page_size() - 1) / page_size() * page_size();
	return size;
}

/* Ordinary memory is never reallocated: that would leave the old bytes behind. */
static int reserve_plain(struct locked *locked, size_t wanted)
{
	size_t size = grown(locked->size ? locked->size : PLAIN_SIZE_MIN, wanted);
	uint8_t *data = malloc(size);

	if (!data)
		return -ENOMEM;
	if (locked->data) {
		memcpy(data, locked->data, locked->length);
		sodium_memzero(locked->data, locked->size);
		free(locked->data);
	}
	locked->data = data;
	locked->size = size;
	return 0;
}

static uint8_t *map_locked(size_t size, int *failed)
{
	uint8_t *data = map_private(size, PROT_READ | PROT_WRITE, 0);

	if (data == MAP_FAILED) {
		*failed = -ENOMEM;
		return NULL;
	}
	/* A child that is about to call exec would have its own copy, which is not locked. */
	madvise(data, size, MADV_DONTFORK);
	/* libsodium excludes it from core dumps, too. */
	if (sodium_mlock(data, size) != 0) {
		munmap(data, size);
		*failed = -ENOBUFS;
		return NULL;
	}
	*failed = 0;
	return data;
}

/* mremap moves pages rather than bytes, so no copy stays behind, and what is new is locked and
 * excluded from dumps like the old. */
static uint8_t *remap_locked(uint8_t *old, size_t old_size, size_t size, int *failed)
{
	uint8_t *data = mremap(old, old_size, size, MREMAP_MAYMOVE);

	*failed = data != MAP_FAILED ? 0 : errno == ENOMEM ? -ENOMEM : -ENOBUFS;
	return *failed ? NULL : data;
}

/* The queue is not called from here: the caller is about to take what is freed. */
static bool reclaim(struct locked_pool *pool)
{
	bool serving = pool->serving, freed;

	if (!pool->reclaim)
		return false;
	pool->serving = true;
	freed = pool->reclaim(pool->reclaim_context);
	pool->serving = serving;
	return freed;
}

bool locked_make_room(struct locked_pool *pool, size_t size)
{
	while (pool->held > pool->cap || size > pool->cap - pool->held)
		if (!reclaim(pool))
			return false;
	return true;
}

static int reserve_locked(struct locked *locked, size_t wanted)
{
	struct locked_pool *pool = locked->pool;
	size_t size = grown(locked->size ? locked->size : page_size(), wanted);
	uint8_t *data;
	int failed;

	if (!locked_make_room(pool, size - locked->size))
		return -ENOBUFS;
	/* The system may have less than the cap. */
	do {
		if (locked->data)
			data = remap_locked(locked->data, locked->size, size, &failed);
		else
			data = map_locked(size, &failed);
	} while (failed && reclaim(pool));
	if (failed)
		return failed;
	pool->held += size - locked->size;
	locked->data = data;
	locked->size = size;
	return 0;
}

int locked_reserve(struct locked *locked, size_t size)
{
	if (size <= locked->size)
		return 0;
	if (size > SIZE_MAX / 4)
		return -ENOMEM;
	return locked->pool ? reserve_locked(locked, size) : reserve_plain(locked, size);
}

int locked_append(struct locked *locked, const void *data, size_t length)
{
	int failed;

	if (length > SIZE_MAX / 4 - locked->length)
		return -ENOMEM;
	failed = locked_reserve(locked, locked->length + length);
	if (failed)
		return failed;
	if (length > 0)
		memcpy(locked->data + locked->length, data, length);
	locked->length += length;
	return 0;
}

/*
 * Calls each waiter once; one that gets no memory may queue itself again. The waiters are called
 * again only if more memory was freed meanwhile than taken, so that this ends. Memory that is freed
 * inside a call is offered by the loop that runs already.
 */
static void serve(struct locked_pool *pool)
{
	size_t held_before, waiting;
	struct locked_wait *wait;

	if (pool->serving)
		return;
	pool->serving = true;
	do {
		held_before = pool->held;
		waiting = 0;
		TAILQ_FOREACH (wait, &pool->waiting, queued)
			waiting++;
		while (waiting-- > 0 && (wait = TAILQ_FIRST(&pool->waiting))) {
			locked_wait_cancel(pool, wait);
			wait->available(wait);
		}
	} while (!TAILQ_EMPTY(&pool->waiting) && pool->held < held_before);
	pool->serving = false;
}

void locked_free(struct locked *locked)
{
	struct locked_pool *pool = locked->pool;
	uint8_t *data = locked->data;
	size_t size = locked->size;

	locked->data = NULL;
	locked->length = locked->size = 0;
	if (!data)
		return;
	if (!pool) {
		sodium_memzero(data, size);
		free(data);
		return;
	}
	sodium_munlock(data, size); /* which wipes first */
	munmap(data, size);
	pool->held -= size;
	serve(pool);
}

void locked_wait(struct locked_pool *pool, struct locked_wait *wait)
{
	if (!wait->queued.tqe_prev)
		TAILQ_INSERT_TAIL(&pool->waiting, wait, queued);
}

void locked_wait_cancel(struct locked_pool *pool, struct locked_wait *wait)
{
	if (!wait->queued.tqe_prev)
		return;
	TAILQ_REMOVE(&pool->waiting, wait, queued);
	wait->queued.tqe_prev = NULL;
}
