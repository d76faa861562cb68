/*
 * Which names this mount has written lately, or failed to: they may be opened for reading, so that
 * `sync NAME` can ask what became of it. Nothing else can be done with such a handle.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "file.h"
#include "fs_internal.h"
#include "inode.h"
#include "recent.h"

#define LATELY	     (UINT64_C(10) * 60 * 1000) /* milliseconds */
#define RECENT_SLOTS 4096u /* names; two that share a slot are that many creations apart */

struct recent_slot {
	uint32_t serial;
	uint64_t until; /* CLOCK_BOOTTIME, milliseconds; 0: the slot is free */
};

void recent_note(struct fs *fs, uint32_t entry_id)
{
	struct recent_slot *slot;

	if (!fs->recent)
		fs->recent = calloc(RECENT_SLOTS, sizeof *fs->recent);
	if (!fs->recent) /* `sync NAME` then opens for writing, as everywhere else */
		return;
	slot = &fs->recent[entry_id % RECENT_SLOTS];
	*slot = (struct recent_slot){.serial = entry_id, .until = loop_now(fs->loop) + LATELY};
}

void recent_finish(struct fs *fs)
{
	free(fs->recent);
	fs->recent = NULL;
}

bool recent_has(const struct fs *fs, const struct inode *inode)
{
	uint32_t entry_id = inode->file ? inode->file->entry_id : inode->record->entry_id;
	const struct recent_slot *slot = fs->recent ? &fs->recent[entry_id % RECENT_SLOTS] : NULL;

	if (inode->file)
		for (const struct handle *handle = inode->file->handles; handle;
		     handle = handle->next)
			if (handle->wrote)
				return true;
	return slot && slot->serial == entry_id && slot->until > loop_now(fs->loop);
}
