#pragma once

#include "sstorefs/config.h"

/*
 * --check: whether a source could be mounted and written, or how a mount is. Both print what they
 * found on stdout and return the exit status that check_report.h lists.
 */
int check_source(struct config *config);

/* Checks the mount at `config->mountpoint` by what its daemon says; calls no service. */
int check_mount(const struct config *config);
