#pragma once

#include "sstorefs/config.h"

/* The most arguments of a command line, without the program's name; NULL comes after the last. */
#define ARGUMENTS 12

/* What reading the last one printed on stderr. */
extern char printed[4096];

/* Reads a command line, of a program called `name` or `sstorefs`; 0 or a negative errno, as
 * config_read. */
int read_arguments_as(const char *name, struct config *config, const char *const *arguments);
int read_arguments(struct config *config, const char *const *arguments);
/* Reads `sstorefs fastly: /mnt -o options`. */
int read_options(struct config *config, const char *options);

/* Checks that one line of the program was printed, with `phrase` in it. */
void assert_one_line_with(const char *phrase);
