#pragma once

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/*
 * A descriptor on its way to another process, with a word about it, through a socket of AF_UNIX
 * that keeps messages apart.
 */

/* Puts a path, or an abstract name behind `@`, into `address`. Returns the address's length, or 0
 * if `path` is too long. */
socklen_t unix_address(struct sockaddr_un *address, const char *path);

/* Sends `text`, and with it `fd` unless that is -1. Returns 0 or -errno. */
int descriptor_send(int to, const char *text, int fd);

/*
 * Waits for a message, and puts its text into `text`, which gets a NUL; nothing where the other
 * side is gone. Returns the descriptor that came with it, which is closed on exec, or -1.
 */
int descriptor_receive(int from, char *text, size_t size);
