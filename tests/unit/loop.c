/* The loop: what is called, in which turn, and that callbacks may start and stop anything. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sstorefs/clock.h"
#include "sstorefs/loop.h"

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct actor {
	struct watch watch;
	struct timer timer;
	struct task task;
	struct loop *loop;
	struct actor *other;
	int pipe[2];
	unsigned reads, rings, runs;
	unsigned stop_after;
};

static struct loop *make_loop(void)
{
	struct loop *loop;

	assert_int_equal(loop_new(&loop), 0);
	return loop;
}

static void actor_open(struct actor *actor, struct loop *loop, void (*readable)(struct watch *))
{
	assert_int_equal(pipe(actor->pipe), 0);
	actor->loop = loop;
	actor->watch = (struct watch){.fd = actor->pipe[0], .readable = readable};
	assert_int_equal(watch_start(loop, &actor->watch), 0);
	assert_ptr_equal(actor->watch.loop, loop);
}

static void actor_close(struct actor *actor)
{
	watch_stop(&actor->watch);
	close(actor->pipe[0]);
	if (actor->pipe[1] >= 0)
		close(actor->pipe[1]);
}

static void read_and_stop(struct watch *watch)
{
	struct actor *actor = container_of(watch, struct actor, watch);
	char byte;

	actor->reads += read(watch->fd, &byte, 1) == 1;
	loop_stop(actor->loop);
}

static void readable_descriptors_are_reported(void **state)
{
	struct loop *loop = make_loop();
	struct actor actors[20] = {0};

	(void)state;
	for (size_t i = 0; i < 20; i++)
		actor_open(&actors[i], loop, read_and_stop);
	assert_int_equal(write(actors[17].pipe[1], "x", 1), 1);
	assert_int_equal(loop_run(loop), 0);
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(actors[i].reads, i == 17);
		actor_close(&actors[i]);
	}
	loop_free(loop);
}

static void hung_up(struct watch *watch)
{
	struct actor *actor = container_of(watch, struct actor, watch);

	actor->reads++;
	watch_stop(watch);
	loop_stop(actor->loop);
}

static void a_hang_up_is_reported_too(void **state)
{
	struct loop *loop = make_loop();
	struct actor actor = {0};

	(void)state;
	actor_open(&actor, loop, hung_up);
	close(actor.pipe[1]);
	actor.pipe[1] = -1;
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(actor.reads, 1);
	assert_null(actor.watch.loop);
	actor_close(&actor);
	loop_free(loop);
}

static void stop_both(struct watch *watch)
{
	struct actor *actor = container_of(watch, struct actor, watch);

	actor->reads++;
	watch_stop(watch);
	watch_stop(&actor->other->watch);
	loop_stop(actor->loop);
}

static void a_watch_stopped_by_another_is_not_called_in_that_turn(void **state)
{
	struct loop *loop = make_loop();
	struct actor first = {0}, second = {0};

	(void)state;
	actor_open(&first, loop, stop_both);
	actor_open(&second, loop, stop_both);
	first.other = &second;
	second.other = &first;
	assert_int_equal(write(first.pipe[1], "x", 1), 1);
	assert_int_equal(write(second.pipe[1], "x", 1), 1);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(first.reads + second.reads, 1);
	actor_close(&first);
	actor_close(&second);
	loop_free(loop);
}

static void start_other(struct watch *watch)
{
	struct actor *actor = container_of(watch, struct actor, watch);

	actor->reads++;
	watch_stop(watch);
	/* Many, so that the loop's arrays move under it. */
	for (size_t i = 0; i < 40; i++)
		actor_open(&actor->other[i], actor->loop, read_and_stop);
	assert_int_equal(write(actor->other[39].pipe[1], "x", 1), 1);
}

static void watches_started_by_a_watch_are_polled_next(void **state)
{
	struct loop *loop = make_loop();
	struct actor first = {0}, *others = calloc(40, sizeof(*others));

	(void)state;
	actor_open(&first, loop, start_other);
	first.other = others;
	assert_int_equal(write(first.pipe[1], "x", 1), 1);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(first.reads, 1);
	assert_int_equal(others[39].reads, 1);
	for (size_t i = 0; i < 40; i++)
		actor_close(&others[i]);
	actor_close(&first);
	free(others);
	loop_free(loop);
}

static uint64_t last_rung;

static void ring(struct timer *timer)
{
	struct actor *actor = container_of(timer, struct actor, timer);

	assert_int_equal(timer->position, 0);
	assert_true(timer->at >= last_rung);
	assert_true(timer->at <= loop_now(actor->loop));
	last_rung = timer->at;
	actor->rings++;
	if (actor->stop_after)
		loop_stop(actor->loop);
}

static void timers_ring_in_their_order_whatever_is_stopped_and_moved(void **state)
{
	enum { COUNT = 500 };
	struct loop *loop = make_loop();
	struct actor *actors = calloc(COUNT + 1, sizeof(*actors));
	uint64_t now = loop_now(loop);

	(void)state;
	srand(7);
	last_rung = 0;
	for (int i = 0; i < COUNT; i++) {
		actors[i] = (struct actor){.loop = loop, .timer.expired = ring};
		assert_int_equal(timer_start(loop, &actors[i].timer, now + (unsigned)rand() % 50),
				 0);
	}
	for (int i = 0; i < COUNT; i += 3)
		timer_stop(loop, &actors[i].timer);
	for (int i = 1; i < COUNT; i += 3)
		assert_int_equal(timer_start(loop, &actors[i].timer, now + (unsigned)rand() % 50),
				 0);
	actors[COUNT] = (struct actor){.loop = loop, .timer.expired = ring, .stop_after = 1};
	assert_int_equal(timer_start(loop, &actors[COUNT].timer, now + 60), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_true(clock_boottime() >= now + 60);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(actors[i].rings, i % 3 != 0);
	free(actors);
	loop_free(loop);
}

static void ring_again(struct timer *timer)
{
	struct actor *actor = container_of(timer, struct actor, timer);

	if (++actor->rings == actor->stop_after)
		loop_stop(actor->loop);
	assert_int_equal(timer_start(actor->loop, timer, 0), 0);
}

static void count_turn(struct loop_poller *poller);
static struct {
	struct loop_poller partner;
	unsigned turns;
} counter = {.partner = {.iterate = count_turn}};

static void count_turn(struct loop_poller *poller)
{
	assert_ptr_equal(poller, &counter.partner);
	counter.turns++;
}

static bool never_busy(struct loop_poller *poller)
{
	(void)poller;
	return false;
}

static void a_timer_that_restarts_in_the_past_rings_once_a_turn(void **state)
{
	struct loop *loop = make_loop();
	struct actor actor = {.loop = loop, .timer.expired = ring_again, .stop_after = 3};

	(void)state;
	counter.turns = 0;
	counter.partner.busy = never_busy;
	loop_set_poller(loop, &counter.partner);
	assert_int_equal(timer_start(loop, &actor.timer, 0), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(counter.turns, 3);
	loop_free(loop);
	assert_int_equal(actor.timer.position, 0);
}

static void run_again(struct task *task)
{
	struct actor *actor = container_of(task, struct actor, task);

	if (++actor->runs == actor->stop_after)
		loop_stop(actor->loop);
	else
		task_queue(actor->loop, task);
}

static void a_task_that_queues_itself_runs_once_a_turn(void **state)
{
	struct loop *loop = make_loop();
	struct actor actor = {.loop = loop, .task.run = run_again, .stop_after = 4};

	(void)state;
	counter.turns = 0;
	counter.partner.busy = never_busy;
	loop_set_poller(loop, &counter.partner);
	task_queue(loop, &actor.task);
	task_queue(loop, &actor.task);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(actor.runs, 4);
	assert_int_equal(counter.turns, 4);
	loop_free(loop);
}

static void run_and_cancel_other(struct task *task)
{
	struct actor *actor = container_of(task, struct actor, task);

	actor->runs++;
	if (actor->other)
		task_cancel(&actor->other->task);
	if (actor->stop_after)
		loop_stop(actor->loop);
}

static void a_cancelled_task_does_not_run(void **state)
{
	struct loop *loop = make_loop();
	struct actor last = {.loop = loop, .task.run = run_and_cancel_other, .stop_after = 1};
	struct actor victim = {.loop = loop, .task.run = run_and_cancel_other};
	struct actor first = {.loop = loop, .task.run = run_and_cancel_other, .other = &victim};

	(void)state;
	task_queue(loop, &first.task);
	task_queue(loop, &victim.task);
	task_queue(loop, &last.task);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(first.runs, 1);
	assert_int_equal(victim.runs, 0);
	assert_int_equal(last.runs, 1);
	task_cancel(&victim.task);
	loop_free(loop);
}

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void signals_do_not_end_the_wait(void **state)
{
	struct loop *loop = make_loop();
	struct actor actor = {.loop = loop, .timer.expired = ring, .stop_after = 1};
	struct sigaction action = {.sa_handler = interrupt};
	struct itimerval alarm_soon = {.it_value.tv_usec = 5000};

	(void)state;
	last_rung = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &alarm_soon, NULL);
	assert_int_equal(timer_start(loop, &actor.timer, loop_now(loop) + 30), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_true(interrupted);
	assert_int_equal(actor.rings, 1);
	loop_free(loop);
}

static void a_stop_before_the_run_is_not_lost(void **state)
{
	struct loop *loop = make_loop();

	(void)state;
	loop_stop(loop);
	assert_int_equal(loop_run(loop), 0);
	loop_free(loop);
}

static bool always_busy(struct loop_poller *poller)
{
	(void)poller;
	return true;
}

static int wait_fails(struct loop_poller *poller, struct pollfd *fds, unsigned count, int timeout)
{
	(void)poller, (void)fds, (void)timeout;
	assert_int_equal(count, 0);
	return -EIO;
}

static void a_busy_poller_waits_instead_of_the_loop_and_its_failure_ends_the_loop(void **state)
{
	struct loop *loop = make_loop();
	struct loop_poller poller = {.busy = always_busy, .wait = wait_fails};

	(void)state;
	loop_set_poller(loop, &poller);
	assert_int_equal(loop_run(loop), -EIO);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readable_descriptors_are_reported),
		cmocka_unit_test(a_hang_up_is_reported_too),
		cmocka_unit_test(a_watch_stopped_by_another_is_not_called_in_that_turn),
		cmocka_unit_test(watches_started_by_a_watch_are_polled_next),
		cmocka_unit_test(timers_ring_in_their_order_whatever_is_stopped_and_moved),
		cmocka_unit_test(a_timer_that_restarts_in_the_past_rings_once_a_turn),
		cmocka_unit_test(a_task_that_queues_itself_runs_once_a_turn),
		cmocka_unit_test(a_cancelled_task_does_not_run),
		cmocka_unit_test(signals_do_not_end_the_wait),
		cmocka_unit_test(a_stop_before_the_run_is_not_lost),
		cmocka_unit_test(
			a_busy_poller_waits_instead_of_the_loop_and_its_failure_ends_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
