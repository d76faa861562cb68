/* Captures stderr while something mounts. */
#pragma once

#include "sstorefs/buffer.h"

struct stderr_capture {
	int kept, caught; /* stderr itself, and what stands in its place */
};

/* Keeps what this process and its children write to stderr from now on. Without a file for it, it
 * goes to stderr. */
void stderr_capture_begin(struct stderr_capture *capture);

/* Ends that, and appends what was said to `why`: one line, without its end. */
void stderr_capture_end(struct stderr_capture *capture, struct buffer *why);
