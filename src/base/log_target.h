#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sstorefs/log.h"

/* The file or socket of the log, written by calls that do not wait for a reader. */
struct log_writer {
	enum {
		TO_FILE,     /* waits for no reader: files, /dev/null */
		TO_REOPENED, /* a pipe or terminal, opened again with O_NONBLOCK */
		TO_SHARED,   /* one that could not be reopened: its description is others', too */
		TO_SOCKET,   /* stderr that is a socket, as the journal's is */
		TO_SYSLOG,   /* /dev/log */
	} kind;
	int fd;		/* -1: not connected */
	bool is_stream; /* syslog's: lines end with a NUL */
};

/* Open and close the way to the log. Where there is none, writing says so. */
void log_writer_open(struct log_writer *writer, enum log_target target);
void log_writer_close(struct log_writer *writer);

/*
 * Writes as much of the text as is taken now. Returns the number of bytes, -EAGAIN when the reader
 * takes none now (poll `fd` for POLLOUT), -ENOTCONN when there is no reader to be found and trying
 * again later may help, or another negative errno when this text can't be written.
 */
ssize_t log_writer_write(struct log_writer *writer, const char *text, size_t length);

/* Returns the end of a line, and its size in bytes in `length`. */
const char *log_writer_end(const struct log_writer *writer, size_t *length);
