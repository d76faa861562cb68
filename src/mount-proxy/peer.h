#pragma once

#include "mount_proxy.h"

/* The process at the other end of the socket, held by its pidfd, so that a later one with its
 * number is not taken for it. */
struct peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	int process; /* pidfd; -1: there is none */
};

/* Identifies the process at the other end of `connection`. Returns NULL, or why it gets no mount:
 * it is not of `spec`'s user or unit, has process numbers of its own, or can't be identified. Call
 * peer_release in both cases. */
const char *peer_identify(struct peer *peer, const struct mount_spec *spec, int connection);

/* True if the process has ended, or there is none. */
bool peer_has_ended(const struct peer *peer);

/* Closes its pidfd. */
void peer_release(struct peer *peer);

/* Prints on stderr why a process was refused: the first at once, those that follow within a minute
 * as one line with their count. */
void log_rejection(const char *why, const struct peer *peer);

/* Returns the milliseconds until log_rejections has something to print; -1: it has nothing. */
int rejections_delay(void);

/* Prints the line about the rejections that were counted. */
void log_rejections(void);
