/*
 * The way to a mountpoint, walked step by step. What is mounted there is place_mount.c.
 */
#include "sstorefs/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel has it */

/* A walk: where it has come to, and what is left of the way. */
struct walk {
	struct mount_place *place;
	struct buffer rest;
	size_t passed; /* bytes of `rest` */
	unsigned links;
	bool strict, others; /* `others`: a directory was passed that others can change */
};

static bool is_trusted(uid_t owner)
{
	return owner == 0 || owner == geteuid();
}

/* True if others could put something else there. In a sticky directory they can, but not in the
 * place of root's files. */
static bool others_can_change(const struct stat *directory)
{
	bool writable = directory->st_mode & (S_IWGRP | S_IWOTH) && !(directory->st_mode & S_ISVTX);

	return !is_trusted(directory->st_uid) || writable;
}

static int step_to(struct mount_place *place, int parent, const char *name, int directory)
{
	char *copy = name ? strdup(name) : NULL;

	if (name && !copy) {
		close(directory);
		return -ENOMEM;
	}
	if (place->parent >= 0 && place->parent != parent)
		close(place->parent);
	if (place->directory >= 0 && place->directory != parent)
		close(place->directory);
	free(place->name);
	place->parent = parent;
	place->name = copy;
	place->directory = directory;
	return 0;
}

static int go_to(struct walk *walk, const char *path)
{
	int directory = openat(walk->place->directory >= 0 ? walk->place->directory : AT_FDCWD,
			       path, O_PATH | O_CLOEXEC | O_NOFOLLOW);

	return directory < 0 ? -errno : step_to(walk->place, -1, NULL, directory);
}

/* Puts the text of the link before what is left, in the directory where it was found. */
static int follow(struct walk *walk, int link)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(link, "", target, sizeof target - 1);
	struct buffer rest = {0};
	int failed;

	if (length < 0)
		return -errno;
	if (++walk->links > LINKS_MAX)
		return -ELOOP;
	buffer_append(&rest, target, (size_t)length);
	buffer_puts(&rest, "/");
	buffer_puts(&rest, buffer_cstr(&walk->rest) + walk->passed);
	failed = buffer_error(&rest);
	buffer_finish(&walk->rest);
	walk->rest = rest;
	walk->passed = 0;
	return failed ? failed : target[0] == '/' ? go_to(walk, "/") : 0;
}

static int refuse(const char *name, struct buffer *why)
{
	buffer_printf(
		why,
		"'%s' leads elsewhere from a directory that others than root can change: give the path it leads to",
		name);
	return -ELOOP;
}

/* One component. What is found last may be dead, and is no link then. */
static int step(struct walk *walk, const char *name, struct buffer *why)
{
	int from = walk->place->directory, found, failed = 0;
	struct stat directory, status;

	if (fstat(from, &directory))
		return -errno;
	walk->others = walk->others || others_can_change(&directory);
	if (strcmp(name, "..") == 0)
		return walk->strict && walk->others ? refuse(name, why) : go_to(walk, "..");
	found = openat(from, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (found < 0)
		return -errno;
	if (fstat(found, &status) == 0 && S_ISLNK(status.st_mode)) {
		if (walk->strict && (walk->others || !is_trusted(status.st_uid)))
			failed = refuse(name, why);
		else
			failed = follow(walk, found);
		close(found);
		return failed;
	}
	return step_to(walk->place, from, name, found);
}

/* Takes the next component out of `rest`; NULL at the end, or with `rest.failed` set. */
static char *next(struct walk *walk)
{
	const char *text = buffer_cstr(&walk->rest) + walk->passed;
	const char *name = text + strspn(text, "/");
	size_t length = strcspn(name, "/");
	char *copy = length ? strndup(name, length) : NULL;

	walk->passed += (size_t)(name - text) + length;
	walk->rest.failed |= length && !copy;
	return copy;
}

static int name_it(struct mount_place *place)
{
	char link[64], path[PATH_MAX];
	ssize_t length;

	snprintf(link, sizeof link, "/proc/self/fd/%d", place->directory);
	length = readlink(link, path, sizeof path - 1);
	if (length < 0)
		return -errno;
	place->path = strndup(path, (size_t)length);
	return place->path ? 0 : -ENOMEM;
}

int place_open(struct mount_place *place, const char *path, struct buffer *why)
{
	struct walk walk = {.place = place, .strict = geteuid() == 0};
	struct stat status;
	char *name;
	int failed;

	*place = PLACE_NONE;
	buffer_puts(&walk.rest, path);
	failed = *path ? go_to(&walk, path[0] == '/' ? "/" : ".") : -ENOENT;
	while (!failed && (name = next(&walk))) {
		if (strcmp(name, ".") != 0)
			failed = step(&walk, name, why);
		free(name);
	}
	if (!failed)
		failed = buffer_error(&walk.rest);
	if (!failed && fstat(place->directory, &status) == 0 && !S_ISDIR(status.st_mode))
		failed = -ENOTDIR;
	if (!failed)
		failed = name_it(place);
	buffer_finish(&walk.rest);
	return failed;
}

void place_close(struct mount_place *place)
{
	if (place->directory >= 0)
		close(place->directory);
	if (place->parent >= 0)
		close(place->parent);
	free(place->name);
	free(place->path);
	*place = PLACE_NONE;
}
