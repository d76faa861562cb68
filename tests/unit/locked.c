/* Locked memory: really locked, rationed, wiped, and given to waiters in their order. */
#include "sstorefs/locked.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))

static struct locked_pool make_pool(size_t pages)
{
	struct locked_pool pool;

	locked_pool_init(&pool, pages * PAGE);
	return pool;
}

/* Fixes the address of the queue, which a copied pool would lose. */
#define POOL(name, pages)                                                                          \
	struct locked_pool name = make_pool(pages);                                                \
	TAILQ_INIT(&name.waiting)

static void test_bytes_are_kept_while_memory_grows(void **state)
{
	POOL(pool, 64);
	struct locked locked = {.pool = &pool};
	size_t i;

	(void)state;
	for (i = 0; i < 70000; i++) {
		uint8_t byte = (uint8_t)(i * 7);

		assert_int_equal(locked_append(&locked, &byte, 1), 0);
	}
	assert_int_equal(locked.length, 70000);
	for (i = 0; i < locked.length; i++)
		assert_int_equal(locked.data[i], (uint8_t)(i * 7));
	assert_int_equal(pool.held, locked.size);
	assert_true(locked.size >= 70000 && locked.size % PAGE == 0);
	locked_free(&locked);
	assert_int_equal(pool.held, 0);
	assert_null(locked.data);
	assert_int_equal(locked_append(&locked, "again", 5), 0);
	assert_memory_equal(locked.data, "again", 5);
	locked_free(&locked);
	locked_free(&locked);
}

/* AddressSanitizer replaces mlock by nothing, so that there is nothing to be seen of it. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)
#define SEES_LOCKS
#endif

#ifdef SEES_LOCKS
/* The line of /proc/self/smaps about the mapping that holds `address`. */
static void read_mapping(const void *address, unsigned long *locked_kib, char flags[static 128])
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long begin, end;
	char line[512];
	bool inside = false;

	assert_non_null(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			inside = (unsigned long)address >= begin && (unsigned long)address < end;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, 128, "%.127s", line + 8);
		else if (inside)
			sscanf(line, "Locked: %lu", locked_kib);
	}
	fclose(smaps);
}

static void test_memory_is_locked_and_not_dumped_also_after_it_grew(void **state)
{
	POOL(pool, 64);
	struct locked locked = {.pool = &pool};
	size_t size;

	(void)state;
	for (size = 1; size <= 65537; size += 65536) {
		unsigned long locked_kib = 0;
		char flags[128] = "";

		assert_int_equal(locked_reserve(&locked, size), 0);
		memset(locked.data, 'v', locked.size);
		locked.length = size;
		read_mapping(locked.data, &locked_kib, flags);
		assert_true(locked_kib * 1024 >= locked.size);
		assert_non_null(strstr(flags, " lo")); /* locked */
		assert_non_null(strstr(flags, " dd")); /* not dumped */
		assert_non_null(strstr(flags, " dc")); /* not copied by fork */
	}
	locked_free(&locked);
}
#endif

static void test_the_cap_holds_and_leaves_the_content(void **state)
{
	POOL(pool, 4);
	struct locked one = {.pool = &pool}, two = {.pool = &pool};

	(void)state;
	assert_int_equal(locked_append(&one, "kept", 4), 0);
	assert_int_equal(locked_reserve(&two, 2 * PAGE), 0);
	assert_int_equal(pool.held, 3 * PAGE);
	assert_int_equal(locked_reserve(&two, 2 * PAGE + 1), -ENOBUFS);
	assert_int_equal(locked_reserve(&one, 2 * PAGE), 0);
	assert_int_equal(locked_reserve(&one, 2 * PAGE + 1), -ENOBUFS);
	assert_memory_equal(one.data, "kept", 4);
	assert_int_equal(pool.held, 4 * PAGE);
	assert_int_equal(locked_reserve(&one, SIZE_MAX), -ENOMEM);
	locked_free(&two);
	assert_int_equal(locked_reserve(&one, 4 * PAGE), 0);
	assert_memory_equal(one.data, "kept", 4);
	locked_free(&one);
	assert_int_equal(pool.held, 0);
}

static void test_without_a_pool_it_is_ordinary_memory(void **state)
{
	struct locked locked = {0};
	size_t i;

	(void)state;
	for (i = 0; i < 1000; i++)
		assert_int_equal(locked_append(&locked, "0123456789", 10), 0);
	assert_int_equal(locked.length, 10000);
	for (i = 0; i < 1000; i++)
		assert_memory_equal(locked.data + 10 * i, "0123456789", 10);
	locked_free(&locked);
	assert_null(locked.data);
	assert_int_equal(locked_reserve(&locked, SIZE_MAX), -ENOMEM);
}

/* A waiter: takes `pages` when they are available, and waits on when they are not. */
struct waiter {
	struct locked_wait wait;
	struct locked locked;
	size_t pages;
	char name;
	unsigned calls;
	bool gives_back; /* takes one page first, and frees it when it does not get all */
};

static char order[64];

static void take(struct locked_wait *wait)
{
	struct waiter *waiter = (struct waiter *)wait;
	int failed = 0;

	waiter->calls++;
	if (waiter->gives_back)
		failed = locked_reserve(&waiter->locked, 1);
	if (!failed)
		failed = locked_reserve(&waiter->locked, waiter->pages * PAGE);
	if (!failed) {
		strncat(order, &waiter->name, 1);
		return;
	}
	if (waiter->gives_back)
		locked_free(&waiter->locked);
	locked_wait(waiter->locked.pool, wait);
}

static struct waiter make_waiter(struct locked_pool *pool, size_t pages, char name)
{
	return (struct waiter){
		.wait.available = take, .locked.pool = pool, .pages = pages, .name = name};
}

static void test_first_come_first_served(void **state)
{
	POOL(pool, 4);
	struct locked all = {.pool = &pool};
	struct waiter waiters[5];
	size_t i;

	(void)state;
	order[0] = '\0';
	assert_int_equal(locked_reserve(&all, 4 * PAGE), 0);
	for (i = 0; i < COUNT(waiters); i++) {
		waiters[i] = make_waiter(&pool, 1, (char)('a' + i));
		locked_wait(&pool, &waiters[i].wait);
		locked_wait(&pool, &waiters[i].wait);
	}
	locked_wait_cancel(&pool, &waiters[1].wait);
	locked_wait_cancel(&pool, &waiters[1].wait);
	locked_wait_cancel(&pool, &waiters[4].wait);
	locked_wait(&pool, &waiters[4].wait);
	locked_free(&all);
	assert_string_equal(order, "acde");
	assert_int_equal(waiters[1].calls, 0);
	assert_true(TAILQ_EMPTY(&pool.waiting));
	for (i = 0; i < COUNT(waiters); i++)
		locked_free(&waiters[i].locked);
}

static void test_a_waiter_that_cannot_be_served_stays_queued(void **state)
{
	POOL(pool, 8);
	struct locked most = {.pool = &pool}, rest = {.pool = &pool};
	struct waiter large = make_waiter(&pool, 8, 'L'), greedy = make_waiter(&pool, 8, 'G');
	struct waiter small = make_waiter(&pool, 1, 's');

	(void)state;
	order[0] = '\0';
	greedy.gives_back = true;
	assert_int_equal(locked_reserve(&most, 4 * PAGE), 0);
	assert_int_equal(locked_reserve(&rest, 4 * PAGE), 0);
	locked_wait(&pool, &large.wait);
	locked_wait(&pool, &greedy.wait);
	locked_wait(&pool, &small.wait);
	locked_free(&most);
	assert_string_equal(order, "s");
	assert_int_equal(large.calls, 1);
	assert_int_equal(greedy.calls, 1);
	locked_free(&rest);
	assert_string_equal(order, "s");
	locked_free(&small.locked);
	assert_string_equal(order, "sL");
	locked_free(&large.locked);
	assert_string_equal(order, "sLG");
	locked_free(&greedy.locked);
	assert_int_equal(pool.held, 0);
	assert_true(TAILQ_EMPTY(&pool.waiting));
}

struct reclaimable {
	struct locked_pool *pool;
	struct locked locked[3];
	size_t given_back;
};

static bool give_one_back(void *context)
{
	struct reclaimable *reclaimable = context;

	if (reclaimable->given_back == COUNT(reclaimable->locked))
		return false;
	locked_free(&reclaimable->locked[reclaimable->given_back++]);
	return true;
}

static void test_what_is_held_for_want_of_others_makes_room_for_them(void **state)
{
	POOL(pool, 8);
	struct reclaimable reclaimable = {.pool = &pool};
	struct locked one = {.pool = &pool}, two = {.pool = &pool};
	struct waiter waiter = make_waiter(&pool, 1, 'w');
	size_t i;

	(void)state;
	pool.reclaim = give_one_back;
	pool.reclaim_context = &reclaimable;
	for (i = 0; i < COUNT(reclaimable.locked); i++) {
		reclaimable.locked[i].pool = &pool;
		assert_int_equal(locked_reserve(&reclaimable.locked[i], 2 * PAGE), 0);
	}
	assert_int_equal(locked_reserve(&one, 2 * PAGE), 0);
	assert_int_equal(reclaimable.given_back, 0);
	/* No more than it takes, and no queue is served with what the caller needs. */
	order[0] = '\0';
	locked_wait(&pool, &waiter.wait);
	assert_int_equal(locked_reserve(&two, 2 * PAGE), 0);
	assert_int_equal(reclaimable.given_back, 1);
	assert_string_equal(order, "");
	locked_wait_cancel(&pool, &waiter.wait);
	assert_true(locked_make_room(&pool, PAGE));
	assert_int_equal(reclaimable.given_back, 2);
	assert_int_equal(locked_reserve(&two, 9 * PAGE), -ENOBUFS);
	assert_int_equal(reclaimable.given_back, 3);
	assert_false(locked_make_room(&pool, 9 * PAGE));
	locked_free(&one);
	locked_free(&two);
	assert_int_equal(pool.held, 0);
}

#ifdef SEES_LOCKS
/* In a child, whose limits and rights can be lowered. */
static int in_child(int (*run)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(run());
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int without_rights(void)
{
	const struct rlimit limit = {16 * PAGE, 16 * PAGE};
	struct locked locked = {0};
	struct locked_pool pool;

	if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
	    (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0))
		return 1;
	locked_pool_init(&pool, 0);
	if (pool.cap != 12 * PAGE)
		return 2;
	/* A cap that lies is found out by the system. */
	pool.cap = 1000 * PAGE;
	locked.pool = &pool;
	if (locked_reserve(&locked, 32 * PAGE) != -ENOBUFS || locked.data || pool.held != 0)
		return 3;
	if (locked_append(&locked, "kept", 4) != 0)
		return 4;
	if (locked_reserve(&locked, 32 * PAGE) != -ENOBUFS || memcmp(locked.data, "kept", 4) != 0)
		return 5;
	locked_free(&locked);
	return pool.held == 0 ? 0 : 6;
}

static void test_the_cap_is_found_out_and_never_believed(void **state)
{
	(void)state;
	assert_int_equal(in_child(without_rights), 0);
}
#endif

static void test_what_the_cap_promises_can_be_locked(void **state)
{
	struct locked_pool pool;
	struct locked locked = {.pool = &pool};
	size_t size = PAGE;

	(void)state;
	locked_pool_init(&pool, 0);
	assert_in_range(pool.cap, PAGE, 64 << 20);
	while (size * 2 <= pool.cap)
		size *= 2;
	assert_int_equal(locked_reserve(&locked, size), 0);
	locked_free(&locked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_are_kept_while_memory_grows),
		cmocka_unit_test(test_the_cap_holds_and_leaves_the_content),
		cmocka_unit_test(test_without_a_pool_it_is_ordinary_memory),
		cmocka_unit_test(test_first_come_first_served),
		cmocka_unit_test(test_a_waiter_that_cannot_be_served_stays_queued),
		cmocka_unit_test(test_what_is_held_for_want_of_others_makes_room_for_them),
		cmocka_unit_test(test_what_the_cap_promises_can_be_locked),
#ifdef SEES_LOCKS
		cmocka_unit_test(test_memory_is_locked_and_not_dumped_also_after_it_grew),
		cmocka_unit_test(test_the_cap_is_found_out_and_never_believed),
#endif
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
