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
bool peer_has_ended(const struct peer *peer);
void peer_release(struct peer *peer);

/* Says on stderr why a process was refused: the first at once, those that follow within a minute as
 * one line with their count. */
void log_rejection(const char *why, const struct peer *peer);
/* Returns the milliseconds until log_rejections has something to say; -1: nothing. */
int rejections_delay(void);
void log_rejections(void);
