/* Confines the process after the mount, and logs what is missing. Landlock is not part of it: a
 * process under its rules may not look into one that is not, and so could not tell a writer that
 * was killed from one that is done (/proc/PID/fdinfo, the status of an exit). */
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
