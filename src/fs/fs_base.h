#pragma once

#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "sstorefs/change.h"
#include "sstorefs/fs.h"
#include "sstorefs/log.h"
#include "sstorefs/name.h"
#include "sstorefs/ordered_set.h"

/*
 * What all files of this folder need of libc, libfuse and the rest of the program.
 */
struct directory;
struct fdinfo_scan;
struct file;
struct handle;
struct inode;
struct pending_attrs;
struct process;
struct upload;
struct value;
