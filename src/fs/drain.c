/*
 * The end of a mount: what is whole is finished, what is not is given up and named (DESIGN 3, rule 20).
 */
#include <errno.h>

#include "fs.h"
#include "sstorefs/log.h"

static void finish(struct fs *fs)
{
	void (*drained)(void *context, unsigned lost) = fs->drained;

	fs->drained = NULL;
	timer_stop(fs->loop, &fs->drain_timer);
	drained(fs->drained_context, fs->lost);
}

static void finish_later(struct task *task)
{
	struct fs *fs = container_of(task, struct fs, drain_task);

	if (fs->drained && !fs->uploads)
		finish(fs);
}

void fs_check_drained(struct fs *fs)
{
	if (fs->drained && !fs->uploads)
		task_queue(fs->loop, &fs->drain_task);
}

static void out_of_time(struct timer *timer)
{
	struct fs *fs = container_of(timer, struct fs, drain_timer);

	fs->lost += fs->uploads;
	log_line(LOG_ERR, "%u uploads were not finished in time", fs->uploads);
	finish(fs);
}

/* What somebody still holds open and has not closed is not whole. */
static void give_up_unfinished(struct fs *fs)
{
	for (struct file *file = fs->first_file; file; file = file->next) {
		if (file->staged && !file->unlinked) {
			log_line(LOG_ERR, "%s/%s: it was never renamed to what it is: nothing was stored", store_name(file->store),
				 file->name);
			fs->lost++;
		}
		for (struct handle *handle = file->handles; handle; handle = handle->next) {
			if (!handle->due || handle->spent || file->unlinked || file->staged)
				continue;
			log_line(LOG_ERR, "%s/%s: its writer had not closed it: nothing was stored", store_name(file->store),
				 file->name);
			fs->lost++;
			handle_wipe(handle);
			handle->spent = ESHUTDOWN;
		}
	}
}

void fs_drain(struct fs *fs, uint64_t deadline, void (*drained)(void *context, unsigned lost), void *context)
{
	fs->stopping = true;
	fs->drained = drained;
	fs->drained_context = context;
	fs->drain_timer.expired = out_of_time;
	fs->drain_task.run = finish_later;
	timer_start(fs->loop, &fs->drain_timer, deadline);
	if (fs->gone)
		fs_release_all(fs); /* the mount is gone, and with it every descriptor: closed, all of them */
	else
		give_up_unfinished(fs);
	fs_check_drained(fs);
}
