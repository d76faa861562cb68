/* Makes the process one that cannot be dumped or traced. */
#include "sstorefs/hardening.h"
#include "sstorefs/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

int process_empty_cores(pid_t process)
{
	char path[64] = "/proc/self/coredump_filter";
	int filter, failed = 0;

	if (process)
		snprintf(path, sizeof path, "/proc/%d/coredump_filter", (int)process);
	filter = open(path, O_WRONLY | O_CLOEXEC);
	if (filter < 0 || write(filter, "0", 1) != 1)
		failed = -errno;
	if (filter >= 0)
		close(filter);
	return failed;
}

void process_harden(void)
{
	const struct rlimit none = {0, 0};

	/* The file belongs to root in a process that is undumpable from exec(2) on. Making it
	 * dumpable for a moment to write the file would show the token's file in that moment
	 * (/proc/PID/root). The parent of such a process sets it: sstorefs-mount-proxy, systemd. */
	process_empty_cores(0);
	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
}

bool process_cores_are_empty(void)
{
	char text[32] = "";

	return proc_read(-1, "/proc/self/coredump_filter", text, sizeof text) > 0 &&
	       strtoul(text, NULL, 16) == 0;
}

void process_soften(void)
{
#ifdef SANITIZED
	prctl(PR_SET_DUMPABLE, 1);
#endif
}
