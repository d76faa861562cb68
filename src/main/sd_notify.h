#ifndef SSTOREFS_MAIN_SD_NOTIFY_H
#define SSTOREFS_MAIN_SD_NOTIFY_H

#include "sstorefs/loop.h"

/*
 * Telling the service manager how we are (sd_notify(3), by its datagram). Without NOTIFY_SOCKET in the environment nothing is
 * told, and no function here does anything.
 */
struct notifier {
	int socket; /* -1: nobody is to be told */
	struct loop *loop;
	struct timer watchdog;
	uint64_t watchdog_every; /* milliseconds; 0: nobody watches */
};

/* Finds out whom to tell, and begins to tell that the loop turns where that is asked for (WATCHDOG_USEC). */
void notifier_open(struct notifier *notifier, struct loop *loop);
void notifier_close(struct notifier *notifier);

/* Sends assignments as sd_notify(3) has them, with line breaks between them (printf). A manager that does not listen is no failure. */
void notifier_tell(const struct notifier *notifier, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for a reload that begins now: READY=1 has to follow. */
void notifier_tell_reloading(const struct notifier *notifier);

#endif
