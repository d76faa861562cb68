#pragma once

#include "mount_proxy.h"

/* The process at the other end of the socket, held by its pidfd, so that a later one with its
 * number is not taken for it. */
struct asker {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	int process; /* pidfd; -1: there is none */
};

/* Identifies the process at the other end of `peer`. Returns NULL, or why it gets no mount: it is
 * not of `spec`'s user or unit, has process numbers of its own, or can't be identified. Call
 * asker_forget in both cases. */
const char *asker_look(struct asker *asker, const struct mount_spec *spec, int peer);
bool asker_has_ended(const struct asker *asker);
void asker_forget(struct asker *asker);

/*
 * Sees to it that a core of the asker, should root take one, holds no memory. The daemon can't do
 * that for itself where its user can't read its program; the setting stays over execve(2). A
 * failure is one line on stderr.
 */
void asker_empty_cores(const struct asker *asker);

/* Says on stderr why a process was refused: the first at once, those that follow within a minute as
 * one line with their count. */
void refusal_say(const char *why, const struct asker *asker);
/* Milliseconds until refusal_tell has something to say; -1: nothing. */
int refusal_due(void);
void refusal_tell(void);
