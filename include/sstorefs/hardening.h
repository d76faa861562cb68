#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * What no process of this project allows: being dumped, traced, or looked into by others of its
 * user. Both programs call it first.
 */

/* Whether the address sanitizer keeps our memory: it does so in ways of its own. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

/*
 * Makes this process undumpable, which also closes /proc/PID/root, fd, mem and environ to its own
 * user, and empties the cores that root may take all the same. A program that its user can't read
 * (mode 0711) is undumpable from exec(2) on; this is for the others.
 */
void process_harden(void);

/* Sees to it that a core of `process` (0: this one, whose id /proc may know by another number),
 * should root take one, holds no memory; the setting stays over execve(2). Returns 0 or -errno. */
int process_empty_cores(pid_t process);

/* True if a core that root takes, with gcore(1) for example, would hold nothing. */
bool process_cores_are_empty(void);

/* At the end, when everything secret was wiped: lets the leak checker look, where there is one. */
void process_soften(void);
