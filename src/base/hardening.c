/* Makes the process one that cannot be dumped or traced. */
#include "sstorefs/hardening.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define COREDUMP_FILTER "/proc/self/coredump_filter"

/* The file belongs to root in a process that is undumpable from exec(2) on. Making it dumpable for
 * a moment to write the file would show the token's file in that moment (/proc/PID/root). The
 * parent of such a process sets it: sstorefs-mount-proxy, systemd. */
static void empty_cores(void)
{
	int filter = open(COREDUMP_FILTER, O_WRONLY | O_CLOEXEC);

	if (filter < 0)
		return;
	dprintf(filter, "0"); /* process_cores_are_empty() tells whether it helped */
	close(filter);
}

void process_harden(void)
{
	const struct rlimit none = {0, 0};

	empty_cores(); /* of which the file is not ours any more afterwards */
	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
}

bool process_cores_are_empty(void)
{
	char text[32] = "";
	int filter = open(COREDUMP_FILTER, O_RDONLY | O_CLOEXEC);
	ssize_t length = filter < 0 ? -1 : read(filter, text, sizeof text - 1);

	if (filter >= 0)
		close(filter);
	return length > 0 && strtoul(text, NULL, 16) == 0;
}

void process_soften(void)
{
#ifdef SANITIZED
	prctl(PR_SET_DUMPABLE, 1);
#endif
}
