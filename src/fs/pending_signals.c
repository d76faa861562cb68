/* Reads from /proc what the pending signals of a caller mean for its request. */
#include "pending_signals.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sstorefs/proc.h"

#define BIT(signal) (UINT64_C(1) << ((signal)-1))

/* Signals that leave a process as it is, or stop it for a while, if they are not caught. */
#define NOT_FATAL                                                                                  \
	(BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGSTOP) | BIT(SIGTSTP) | \
	 BIT(SIGTTIN) | BIT(SIGTTOU))

#define FROM_THE_KEYBOARD (BIT(SIGINT) | BIT(SIGQUIT))

/* Signals that interrupt a request if they are caught. The others serve runtimes: timers of
 * profilers, garbage collectors, libc's own. */
#define ASKING (BIT(SIGHUP) | BIT(SIGALRM) | BIT(SIGTERM) | BIT(SIGUSR1) | BIT(SIGUSR2))

/* Returns the set of signals in the line of proc(5) that begins with `name`. */
static uint64_t signals_in(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	return line ? strtoull(line + strlen(name), NULL, 16) : 0;
}

enum pending_signals pending_signals_of(pid_t thread)
{
	const char *status;
	uint64_t pending, fatal;

	if (thread <= 0 || proc_read_status(thread, &status))
		return SIGNALS_INTERRUPT;
	pending = signals_in(status, "\nSigPnd:") | signals_in(status, "\nShdPnd:");
	pending &= ~signals_in(status, "\nSigBlk:") & ~signals_in(status, "\nSigIgn:");
	fatal = ~signals_in(status, "\nSigCgt:") & ~NOT_FATAL;
	if (pending & (fatal | FROM_THE_KEYBOARD))
		return SIGNALS_CANCEL;
	return pending & ASKING ? SIGNALS_INTERRUPT : SIGNALS_CAN_WAIT;
}
