#pragma once

#include "sstorefs/config.h"

/* As many words has a command line at most, without the program's name; after the last one NULL. */
#define ARGUMENTS 12

/* What the last one that was read said on stderr. */
extern char printed[4096];

/* Reads a command line, of a program called `name` or `sstorefs`; 0 or a negative errno, as
 * config_read. */
int read_arguments_as(const char *name, struct config *config, const char *const *arguments);
int read_arguments(struct config *config, const char *const *arguments);
/* Reads `sstorefs fastly: /mnt -o options`. */
int read_options(struct config *config, const char *options);

/* What was said is one line of the program, and `phrase` is in it. */
void assert_one_line_with(const char *phrase);
