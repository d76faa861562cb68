/* The queue of the log: lines that its reader has not taken yet, up to a number of bytes. */
#include "log_queue.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "log_target.h"
#include "sstorefs/clock.h"
#include "sstorefs/wait.h"

#define BYTES_MAX (256u << 10)
#define CLOSE_MAX 1000	/* milliseconds for what is left at the end */
#define PAUSE_MIN 100	/* milliseconds until a reader is looked for again that was not there, */
#define PAUSE_MAX 60000 /* and so many after a while */

struct line {
	STAILQ_ENTRY(line) queued;
	size_t length, written;
	char text[];
};

static void drain(void);

static void has_room(struct watch *watch)
{
	(void)watch;
	drain();
}

static void look_again(struct timer *timer)
{
	(void)timer;
	drain();
}

static struct {
	struct log_writer writer;
	STAILQ_HEAD(, line) lines;
	size_t bytes;
	uint64_t lost;
	void (*say_lost)(uint64_t lost);
	bool saying, is_open;
	struct loop *loop;
	struct watch room; /* the reader takes something again */
	struct timer look; /* for a reader that is not there */
	uint64_t pause;
} queue = {.lines = STAILQ_HEAD_INITIALIZER(queue.lines),
	   .room = {.writes = true, .readable = has_room},
	   .look.expired = look_again};

static void stop_waiting(void)
{
	watch_stop(&queue.room);
	if (queue.loop)
		timer_stop(queue.loop, &queue.look);
}

static void wait_for_room(void)
{
	queue.room.fd = queue.writer.fd;
	if (queue.loop && !queue.room.loop)
		watch_start(queue.loop, &queue.room);
}

static void wait_for_reader(void)
{
	queue.pause = queue.pause ? 2 * queue.pause : PAUSE_MIN;
	queue.pause = queue.pause < PAUSE_MAX ? queue.pause : PAUSE_MAX;
	if (queue.loop)
		timer_start(queue.loop, &queue.look, clock_boottime() + queue.pause);
}

static void drop_first(void)
{
	struct line *line = STAILQ_FIRST(&queue.lines);

	STAILQ_REMOVE_HEAD(&queue.lines, queued);
	queue.bytes -= line->length;
	free(line);
}

/* Writes what is taken. Returns 0 when nothing is left, -EAGAIN or -ENOTCONN. */
static ssize_t write_lines(void)
{
	struct line *line;

	while ((line = STAILQ_FIRST(&queue.lines))) {
		ssize_t written = log_writer_write(&queue.writer, line->text + line->written,
						   line->length - line->written);

		if (written == -EINTR)
			continue;
		if (written == -EAGAIN || written == -ENOTCONN)
			return written;
		if (written < 0)
			queue.lost++;
		else
			line->written += (size_t)written;
		if (written < 0 || line->written == line->length)
			drop_first();
	}
	return 0;
}

static void tell_lost(void)
{
	uint64_t lost = queue.lost;

	/* Where nothing can be written, that can't be either. */
	if (!lost || !queue.say_lost || queue.saying)
		return;
	queue.lost = 0;
	queue.saying = true;
	queue.say_lost(lost);
	queue.saying = false;
}

static void drain(void)
{
	ssize_t state;

	stop_waiting();
	state = write_lines();
	if (!state && queue.lost && !queue.saying) {
		tell_lost();
		return; /* which has come here again */
	}
	if (!state)
		queue.pause = 0;
	else if (state == -EAGAIN)
		wait_for_room();
	else
		wait_for_reader();
}

void log_queue_lost(void)
{
	queue.lost++;
}

void log_queue_set_reporter(void (*say)(uint64_t lost))
{
	queue.say_lost = say;
}

void log_queue_add(const char *text)
{
	size_t length = strlen(text), end_length;
	const char *end;
	bool was_empty = STAILQ_EMPTY(&queue.lines);
	struct line *line = NULL;

	if (!queue.is_open)
		log_queue_open(LOG_TO_STDERR);
	end = log_writer_end(&queue.writer, &end_length);
	if (queue.bytes + length + end_length <= BYTES_MAX)
		line = malloc(sizeof *line + length + end_length);
	if (!line) {
		queue.lost++;
		return;
	}
	*line = (struct line){.length = length + end_length};
	memcpy(line->text, text, length);
	memcpy(line->text + length, end, end_length);
	STAILQ_INSERT_TAIL(&queue.lines, line, queued);
	queue.bytes += line->length;
	/* One that waits is written when those before it are. */
	if (was_empty || !queue.loop)
		drain();
}

void log_queue_attach(struct loop *loop)
{
	stop_waiting();
	queue.loop = loop;
	if (queue.is_open)
		drain();
}

static void write_until(uint64_t end)
{
	struct pollfd room = {.events = POLLOUT};
	uint64_t now;

	while (write_lines() == -EAGAIN && (now = clock_boottime()) < end) {
		room.fd = queue.writer.fd;
		poll(&room, 1, (int)(end - now));
	}
}

static void give_up_rest(void)
{
	while (!STAILQ_EMPTY(&queue.lines)) {
		queue.lost++;
		drop_first();
	}
}

void log_queue_close(void)
{
	uint64_t end = clock_boottime() + CLOSE_MAX;

	if (!queue.is_open)
		return;
	stop_waiting();
	queue.loop = NULL;
	write_until(end);
	give_up_rest();
	tell_lost();
	write_until(end);
	give_up_rest();
	queue.lost = 0;
	log_writer_close(&queue.writer);
	queue.is_open = false;
}

void log_queue_open(enum log_target target)
{
	struct loop *loop = queue.loop;

	if (queue.is_open)
		log_queue_close();
	log_writer_open(&queue.writer, target);
	queue.is_open = true;
	queue.loop = loop;
	queue.pause = 0;
}
