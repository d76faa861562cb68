/*
 * Writes secrets PREFIX0, PREFIX1 … with so many writers side by side, each opening, writing and
 * closing one file after the other, and prints how many seconds all of it took, the best write, and
 * the median one.
 *
 *     write DIRECTORY PREFIX COUNT WRITERS
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int write_one(const char *directory, const char *prefix, unsigned number)
{
	char path[4096], value[64];
	int length = snprintf(value, sizeof value, "the value of number %u\n", number);
	int file, failed;

	snprintf(path, sizeof path, "%s/%s%u", directory, prefix, number);
	file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (file < 0)
		return -1;
	failed = write(file, value, (size_t)length) != length;
	return close(file) || failed ? -1 : 0;
}

/* Every WRITERSth of the COUNT, from the `first` on. */
static int work(char **words, unsigned first, unsigned count, unsigned writers, double *seconds)
{
	for (unsigned i = first; i < count; i += writers) {
		double begun = now();

		if (write_one(words[1], words[2], i))
			return perror(words[1]), 1;
		seconds[i] = now() - begun;
	}
	return 0;
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
	unsigned count = argc == 5 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	unsigned writers = argc == 5 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
	int gate[2], failed = 0, status;
	double *seconds, begun;
	char byte;

	if (!count || !writers)
		return fprintf(stderr, "usage: %s DIRECTORY PREFIX COUNT WRITERS\n", argv[0]), 2;
	seconds = mmap(NULL, count * sizeof *seconds, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seconds == MAP_FAILED || pipe(gate))
		return perror("write"), 1;
	for (unsigned i = 0; writers > 1 && i < writers; i++) {
		pid_t child = fork();

		if (child < 0)
			return perror("fork"), 1;
		if (child)
			continue;
		close(gate[1]); /* no writer begins before all are there */
		while (read(gate[0], &byte, 1) > 0)
			;
		_exit(work(argv, i, count, writers, seconds));
	}
	begun = now();
	close(gate[1]);
	if (writers == 1)
		failed = work(argv, 0, count, 1, seconds);
	while (writers > 1 && wait(&status) > 0)
		failed |= status != 0;
	begun = now() - begun;
	qsort(seconds, count, sizeof *seconds, compare);
	printf("%.6f %.6f %.6f\n", begun, seconds[0], seconds[count / 2]);
	return failed;
}
