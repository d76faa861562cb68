/*
 * An OPEN or CREATE that waits: for word whether the service takes our token again, for room in locked memory, or for a descriptor with which its process
 * can be told from others. Then it is done over, in open.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs_internal.h"
#include "sstorefs/name.h"

#define LARGEST_VALUE (128u << 10) /* bytes of locked memory that a value may come to need */
#define PROBE_EVERY                                                                                          \
	3000 /* milliseconds between two questions whether a token that was refused is good again */

struct opening {
	struct late late;
	fuse_ino_t number; /* of the file, or of the directory it is created in */
	bool creates;
	char name[NAME_LENGTH_MAX + 1];
	struct fuse_file_info info;
	struct lookup probe;
	struct store *store; /* referenced while it is probed */
	struct locked_wait room;
	bool waits_for_room;
	struct opening *next, **link; /* of those that wait for a descriptor */
	struct timer timer;
};

/* A value as large as it may be must still find room behind the one that is let in: there is no waiting later, when its bytes have come. */
static bool has_room(const struct fs *fs)
{
	struct locked_pool *pool = fs->options.pool;
	size_t reserve = pool->cap / 4 < LARGEST_VALUE ? pool->cap / 4 : LARGEST_VALUE;

	return locked_make_room(pool, reserve);
}

static bool must_probe(const struct fs *fs)
{
	return net_refused(fs->options.net) &&
	       loop_now(fs->loop) - net_refused_at(fs->options.net) >= PROBE_EVERY;
}

bool opening_must_wait(struct fs *fs, fuse_ino_t number, const char *name)
{
	struct inode inode;

	/* What is refused anyway is refused at once. */
	if (fs->stopping || (name && strlen(name) > NAME_LENGTH_MAX))
		return false;
	if (inode_find(fs, number, &inode) != INODE_SECRET && !name)
		return false;
	return inode.store && (must_probe(fs) || !has_room(fs));
}

static void leave_queue(struct opening *opening)
{
	if (!opening->link)
		return;
	*opening->link = opening->next;
	if (opening->next)
		opening->next->link = opening->link;
	else
		opening->late.fs->last_opening = opening->link;
	opening->next = NULL;
	opening->link = NULL;
}

static void join_queue(struct opening *opening)
{
	struct fs *fs = opening->late.fs;

	opening->next = NULL;
	opening->link = fs->last_opening;
	*fs->last_opening = opening;
	fs->last_opening = &opening->next;
}

static void opening_free(struct opening *opening)
{
	struct fs *fs = opening->late.fs;

	if (opening->waits_for_room)
		locked_wait_cancel(fs->options.pool, &opening->room);
	leave_queue(opening);
	if (opening->store)
		lookup_cancel(&opening->probe);
	store_release(opening->store);
	timer_stop(fs->loop, &opening->timer);
	free(opening);
}

static void refuse(struct opening *opening, int error)
{
	late_error(&opening->late, error);
	opening_free(opening);
}

static void interrupted(struct late *late)
{
	refuse(container_of(late, struct opening, late), EINTR);
}

static const char *name_of(const struct opening *opening, const struct inode *inode)
{
	return opening->creates ? opening->name : inode_name(inode);
}

static int record_no_room(const struct opening *opening)
{
	struct fs *fs = opening->late.fs;
	struct inode inode;

	inode_find(fs, opening->number, &inode);
	return refusal_record(
		fs,
		&(struct deed){.operation = "open", .store = inode.store, .name = name_of(opening, &inode)},
		REFUSAL_NO_ROOM);
}

static void out_of_time(struct timer *timer)
{
	struct opening *opening = container_of(timer, struct opening, timer);

	refuse(opening, record_no_room(opening));
}

static void wait_for_room(struct opening *opening);

/* Does it over; once more without room means to wait once more. */
static void do_over(struct opening *opening)
{
	const char *name = opening->creates ? opening->name : NULL;
	fuse_req_t request;
	int error;

	if (!has_room(opening->late.fs)) {
		wait_for_room(opening);
		return;
	}
	request = opening->late.request;
	error = open_or_create(request, opening->number, name, &opening->info);
	if (opening_may_wait(opening->late.fs, name, opening->info.flags, error)) {
		wait_for_room(opening);
		return;
	}
	late_take(&opening->late);
	if (error)
		fuse_reply_err(request, error);
	opening_free(opening);
}

static void room_came(struct locked_wait *room)
{
	struct opening *opening = container_of(room, struct opening, room);

	opening->waits_for_room = false;
	do_over(opening);
}

static void wait_for_room(struct opening *opening)
{
	const struct fs *fs = opening->late.fs;

	if (has_room(fs) && fs->process_count >= fs->processes_most) {
		join_queue(opening);
		return;
	}
	opening->room.room = room_came;
	opening->waits_for_room = true;
	locked_wait(opening->late.fs->options.pool, &opening->room);
}

/* As many as there are descriptors for, and each of them once. */
static void serve(struct task *task)
{
	struct fs *fs = container_of(task, struct fs, openings_task);
	unsigned waiting = 0;

	for (struct opening *opening = fs->first_opening; opening; opening = opening->next)
		waiting++;
	while (waiting-- && fs->first_opening && fs->process_count < fs->processes_most) {
		struct opening *opening = fs->first_opening;

		leave_queue(opening);
		do_over(opening);
	}
}

void openings_init(struct fs *fs)
{
	fs->last_opening = &fs->first_opening;
	fs->openings_task.run = serve;
}

void openings_continue(struct fs *fs)
{
	if (fs->first_opening)
		task_queue(fs->loop, &fs->openings_task);
}

/* Whatever it says of the name: if the token was taken, the network knows now, and so does the refusal. */
static void probed(struct lookup *lookup)
{
	struct opening *opening = container_of(lookup, struct opening, probe);

	store_release(opening->store);
	opening->store = NULL;
	do_over(opening);
}

/* Asks for the name that is to be written: the cheapest question there is, and its answer is of use. */
static void probe(struct opening *opening)
{
	struct fs *fs = opening->late.fs;
	struct inode inode;

	inode_find(fs, opening->number, &inode);
	if (!inode.store) {
		do_over(opening);
		return;
	}
	opening->store = store_reference(inode.store);
	opening->probe = (struct lookup){.deadline = fs_deadline(fs), .again = true, .done = probed};
	strcpy(opening->probe.name, name_of(opening, &inode));
	lookup_start(store_secrets(opening->store), &opening->probe);
}

void opening_start(struct fs *fs, fuse_req_t request, fuse_ino_t number, const char *name,
		   const struct fuse_file_info *info)
{
	struct opening *opening = calloc(1, sizeof *opening);

	if (!opening) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	opening->number = number;
	opening->creates = name != NULL;
	opening->info = *info;
	if (name)
		strcpy(opening->name, name);
	late_begin(fs, &opening->late, request, interrupted);
	opening->timer.expired = out_of_time;
	if (timer_start(fs->loop, &opening->timer, fs_deadline(fs))) {
		refuse(opening, ENOMEM);
		return;
	}
	if (must_probe(fs))
		probe(opening);
	else
		wait_for_room(opening);
}
