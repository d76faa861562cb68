/* What is said on stderr while something mounts. */
#ifndef SSTOREFS_MAIN_STDERR_CAPTURE_H
#define SSTOREFS_MAIN_STDERR_CAPTURE_H

#include "sstorefs/buffer.h"

struct mount_words {
	int kept, caught; /* stderr itself, and what stands in its place */
};

/* From now on what anybody of this process and its children writes to stderr is kept. If there is no room for it, it goes to stderr. */
void mount_words_catch(struct mount_words *words);

/* Ends that, and appends what was said to `why`: one line, without its end. */
void mount_words_end(struct mount_words *words, struct buffer *why);

#endif
