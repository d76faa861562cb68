/* Tells a drain that waits when no upload is left. */
#include "drain.h"
#include "fs_internal.h"

void fs_check_drained(struct fs *fs)
{
	if (fs->drained && !fs->uploads)
		task_queue(fs->loop, &fs->drain_task);
}
