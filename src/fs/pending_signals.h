#pragma once

#include <sys/types.h>

/*
 * The kernel sends FUSE_INTERRUPT for any signal, also for the end of a shell's child, for a window
 * that changes its size, and when Go's runtime preempts a thread. This tells what it is for.
 */
enum pending_signals {
	/* None, or only such as the process need not notice before its request is answered. */
	SIGNALS_CAN_WAIT,
	/* One that the process catches, and by which it may be asked to stop. Or /proc does not
	 * show the process: it may be any. */
	SIGNALS_INTERRUPT,
	/* One that ends the process, Ctrl-C, or Ctrl-\. */
	SIGNALS_CANCEL,
};

/* Reads the signals that are pending for a thread. `thread` is as the kernel sends it: 0 is one of
 * another PID namespace. */
enum pending_signals pending_signals_of(pid_t thread);
