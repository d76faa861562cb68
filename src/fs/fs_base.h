#pragma once

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "sstorefs/change.h"
#include "sstorefs/fs.h"
#include "sstorefs/name.h"
#include "sstorefs/ordered_set.h"

/*
 * What all files of this folder need of libfuse and of the rest of the program.
 */
struct fs;

#define CGROUP_SIZE 256 /* what is longer is cut */
