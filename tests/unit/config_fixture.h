#pragma once

#include "sstorefs/config.h"

/* As many words has a command line at most, without the program's name; after the last one NULL. */
#define WORDS 12

/* What the last one that was read said on stderr. */
extern char said[4096];

/* Reads a command line, of a program called `name` or `sstorefs`; 0 or a negative errno, as
 * config_read. */
int read_words_as(const char *name, struct config *config, const char *const *words);
int read_words(struct config *config, const char *const *words);
/* Reads `sstorefs fastly: /mnt -o options`. */
int read_options(struct config *config, const char *options);

/* What was said is one line of the program, and `phrase` is in it. */
void assert_one_line_with(const char *phrase);
