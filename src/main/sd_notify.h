/*
 * Tells the service manager the state of the daemon (sd_notify(3), by its datagram). Without
 * NOTIFY_SOCKET in the environment no function here does anything.
 */
#pragma once

#include "sstorefs/loop.h"

/* The connection to the service manager. */
struct sd_notifier {
	int socket; /* -1: none */
	struct loop *loop;
	struct timer watchdog;
	uint64_t watchdog_every; /* milliseconds; 0: no watchdog */
};

/* Connects to the manager, and sends it a sign of life at an interval where WATCHDOG_USEC is
 * set. */
void sd_notifier_open(struct sd_notifier *notifier, struct loop *loop);

void sd_notifier_close(struct sd_notifier *notifier);

/* Sends assignments as sd_notify(3) has them, with line breaks between them (printf). A manager
 * that does not listen is no failure. */
void sd_notifier_send(const struct sd_notifier *notifier, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
