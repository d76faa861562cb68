#pragma once

#include <stddef.h>

/*
 * A descriptor on its way to another process, with a word about it, through a socket of AF_UNIX
 * that keeps messages apart.
 */

/* Sends `text`, and with it `fd` unless that is -1. 0, or a negative errno. */
int descriptor_send(int to, const char *text, int fd);

/*
 * Waits for a message, and puts its text into `text`, which gets a NUL; nothing where the other
 * side is gone. Returns the descriptor that came with it, which is closed on exec, or -1.
 */
int descriptor_receive(int from, char *text, size_t size);
