/* Reads what Prometheus wants to know of each process: processor time, memory, descriptors. */
#include "process_figures.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "sstorefs/clock.h"
#include "sstorefs/proc.h"

static void read_memory(struct process_figures *figures)
{
	double page = (double)sysconf(_SC_PAGESIZE), virtual, resident;
	char text[256];

	if (proc_read(-1, "/proc/self/statm", text, sizeof text) < 0 ||
	    sscanf(text, "%lf %lf", &virtual, &resident) != 2)
		return;
	figures->virtual_bytes = virtual * page;
	figures->resident_bytes = resident * page;
}

/* Reads the start of the process, in ticks since boot: the 22nd field. The second is the program's
 * name, in parentheses. */
static void read_start(struct process_figures *figures)
{
	const char *field = NULL;
	char text[1024];

	if (proc_read(-1, "/proc/self/stat", text, sizeof text) >= 0)
		field = strrchr(text, ')');
	for (int number = 2; field && number < 22; number++)
		field = strchr(field + 1, ' ');
	if (field)
		figures->start_time = (double)clock_wall() / (double)NANOSECONDS -
				      (double)clock_boottime() / 1000 +
				      strtod(field, NULL) / (double)sysconf(_SC_CLK_TCK);
}

static void count_descriptors(struct process_figures *figures)
{
	DIR *directory = opendir("/proc/self/fd");
	double count = -1; /* that of the directory itself */

	if (!directory)
		return;
	for (const struct dirent *entry; (entry = readdir(directory));)
		count += entry->d_name[0] != '.';
	closedir(directory);
	figures->open_fds = count;
}

void process_figures_read(struct process_figures *figures)
{
	struct timespec cpu;
	struct rlimit limit;

	*figures = (struct process_figures){NAN, NAN, NAN, NAN, NAN, NAN};
	if (!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu))
		figures->cpu_seconds = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur != RLIM_INFINITY)
		figures->max_fds = (double)limit.rlim_cur;
	read_memory(figures);
	read_start(figures);
	count_descriptors(figures);
}
