#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sstorefs/loop.h"

/*
 * Lines that come again and again, and lines that are too many: both are counted, and said once in
 * a while.
 */

/* Report what was counted: `repeat` writes a line once more with its number, `left_out` how many
 * were too many. */
struct log_fold_reporters {
	void (*repeat)(int priority, const char *line, uint64_t times);
	void (*left_out)(uint64_t lines);
};
void log_fold_init(const struct log_fold_reporters *reporters);
void log_fold_attach(struct loop *loop);

/* Returns true if `line` is to be written now. One that `may_be_left_out` is not where there were
 * too many such lines. */
bool log_fold_passes(int priority, const char *line, bool may_be_left_out);

/* Says all that was counted. */
void log_fold_tell(void);
