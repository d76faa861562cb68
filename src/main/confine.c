/*
 * Confinement once all is mounted, and what the log says where there is none.
 *
 * Landlock is not part of it: who is under its rules may look into no process that is not, and so
 * could not tell a writer that was killed from one that is done (/proc/PID/fdinfo, the status of an
 * exit).
 */
#include "confine.h"

#include <errno.h>
#include <string.h>

#include "sstorefs/log.h"

int confine(void)
{
	const char *why = "";
	int failed;

	failed = syscall_filter_install(&why);
	if (failed == -ENOSYS && why)
		log_line(LOG_NOTICE, "its system calls are not filtered: %s", why);
	else if (failed && failed != -ENOSYS)
		log_line(LOG_ERR, "system calls can't be filtered: %s", strerror(-failed));
	return failed == -ENOSYS ? 0 : failed;
}
