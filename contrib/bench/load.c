/*
 * Works on a directory of files SECRET_0000000, SECRET_0000001 … and prints how many operations it
 * got done, in how many seconds, and how many of them its own processes used the processor for.
 *
 *     load KIND DIRECTORY FILES OPERATIONS
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>

struct work {
	const char *directory;
	size_t files, operations;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Of ours and of our children's processor time. */
static double used(void)
{
	struct timespec own;
	struct rusage children;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
	getrusage(RUSAGE_CHILDREN, &children);
	return (double)own.tv_sec + (double)own.tv_nsec / 1e9 + seconds_of(children.ru_utime) +
	       seconds_of(children.ru_stime);
}

static const char *path_of(const struct work *work, size_t number)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/SECRET_%07zu", work->directory, number % work->files);
	return path;
}

/* Each returns how many operations it did; 0: it failed. */

static size_t stat_each(const struct work *work)
{
	struct stat attributes;

	for (size_t i = 0; i < work->operations; i++)
		if (stat(path_of(work, i), &attributes))
			return 0;
	return work->operations;
}

static size_t digest_of_each(const struct work *work)
{
	char digest[256];

	for (size_t i = 0; i < work->operations; i++)
		if (getxattr(path_of(work, i), "user.digest", digest, sizeof digest) <= 0)
			return 0;
	return work->operations;
}

/* What `ls -l` asks for, without its printing. */
static size_t list_all(const struct work *work)
{
	DIR *directory = opendir(work->directory);
	struct dirent *entry;
	struct stat attributes;
	size_t seen = 0;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			seen += !fstatat(dirfd(directory), entry->d_name, &attributes, 0);
	if (directory)
		closedir(directory);
	return seen == work->files ? seen : 0;
}

/* Findutils' own, printing and all. */
static size_t find_all(const struct work *work)
{
	char command[8192];

	snprintf(command, sizeof command, "find '%s' -type f -printf '%%f %%T@ %%s\\n' | wc -l",
		 work->directory);
	FILE *lines = popen(command, "r");
	size_t seen = 0;

	if (lines && fscanf(lines, "%zu", &seen) != 1)
		seen = 0;
	if (lines)
		pclose(lines);
	return seen == work->files ? seen : 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		size_t (*run)(const struct work *work);
	} kinds[] = {{"stat", stat_each},
		     {"getxattr", digest_of_each},
		     {"ls-l", list_all},
		     {"find", find_all}};
	struct work work;

	if (argc != 5)
		return fprintf(stderr, "usage: %s KIND DIRECTORY FILES OPERATIONS\n", argv[0]), 2;
	work = (struct work){argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10)};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		double begun = now(), used_before = used();
		size_t done;

		if (strcmp(kinds[i].name, argv[1]) != 0)
			continue;
		done = kinds[i].run(&work);
		if (!done)
			return perror(kinds[i].name), 1;
		printf("%zu %.6f %.6f\n", done, now() - begun, used() - used_before);
		return 0;
	}
	return fprintf(stderr, "%s: no such kind\n", argv[1]), 2;
}
