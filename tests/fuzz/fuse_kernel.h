#pragma once

#include "fs/fs_internal.h"
#include "scripted_transport.h"

/*
 * A kernel as far as a FUSE file system sees one: the requests that it may send, what it remembers
 * of the answers, and what it expects of them.
 */
#define KERNEL_NODES   48
#define KERNEL_HANDLES 24
#define KERNEL_PENDING 64
#define KERNEL_VALUES  512

#define KERNEL_REQUEST_MAX ((128u << 10) + 4096)
#define KERNEL_REPLY_MAX   ((1u << 20) + 4096)

/* An open file or directory; `number` 0: this place is free. */
struct kernel_handle {
	uint64_t number, handle;
	bool directory;
	unsigned
		pending; /* requests on it that are not answered yet: it can't be released before */
	uint64_t offset; /* where the next READDIR begins */
	uint8_t *written; /* what its WRITEs amount to */
	size_t length;
	bool append, shared; /* shared: all openers of a staged file share one */
};

/* A request that is not answered yet; `unique` 0: this place is free. */
struct kernel_pending {
	uint64_t unique, number;
	uint32_t opcode, flags;
	uint32_t size; /* the most that the answer may bring */
	struct kernel_handle *handle;
	uint64_t offset;
	bool interrupted, temporary;
};

struct kernel {
	struct scripted_net scripted;
	struct input *input;
	uint8_t how;
	struct config config;
	struct error_log error_log;
	struct locked_pool pool;
	struct catalog *catalog;
	struct fs *fs;
	int fd; /* the session's */
	bool mounted, initialised, draining, gone, over;

	uint8_t *request; /* KERNEL_REQUEST_MAX bytes */
	size_t length;	  /* 0: none is there to be read */
	uint64_t unique;
	uint64_t nodes[KERNEL_NODES];
	unsigned node_count;
	struct kernel_handle handles[KERNEL_HANDLES];
	struct kernel_pending pending[KERNEL_PENDING];
	uint64_t values[KERNEL_VALUES]; /* hashes of what was whole when it might have been
					   published */
	unsigned value_count;
	bool any_value; /* they became too many, or are unknown */
};

/* With TRACE in the environment: what is asked, answered and done, on stderr. */
void kernel_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* kernel_requests.c: puts the next request into `request`; nothing where it can't be sent now. */
void kernel_asks(struct kernel *kernel);

/* kernel_replies.c: takes an answer; false: the request was given up meanwhile, as write(2) of a
 * real one says. */
bool kernel_takes(struct kernel *kernel, const uint8_t *reply, size_t length);
/* Everything must be answered by now. */
void kernel_ends(struct kernel *kernel);

/* What a WRITE makes of the handle's value. */
void kernel_writes(struct kernel *kernel, struct kernel_handle *handle, uint64_t offset,
		   const uint8_t *data, size_t size);
/* What the handle holds may be published from now on. */
void kernel_value_is_whole(struct kernel *kernel, const struct kernel_handle *handle);
/* The same for all there are: at a rename, an FSYNC and the end of the mount. */
void kernel_values_are_whole(struct kernel *kernel);
/* Returns whether these bytes were written. */
bool kernel_wrote(const struct kernel *kernel, uint64_t value);
