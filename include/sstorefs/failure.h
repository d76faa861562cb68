#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A failure: what a user is told. Recorded once, where its cause is known, and passed on by
 * copying.
 */
struct failure {
	int errnum;	       /* errno, positive; 0 when nothing failed */
	int http_status;       /* HTTP status of the answer, 0 when there was none */
	bool store_is_deleted; /* ENOENT: it is the store that is not there, as far as the service
				  tells the difference */
	bool key_is_rejected;  /* the key that the value is sealed under may be at fault */
	bool bad_signature;    /* the signing key does not fit the client key of the service */
	char request_id[128];  /* the service's, "" when it sent none */
	char message[512];     /* the service's own words or ours, one line of printable UTF-8 */
};

/* Sets errno and words (printf); status and request id stay. Returns -error, to be passed up. */
int failure_set(struct failure *failure, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Copies `length` bytes of a service's text into `words`: one line, what is not printable UTF-8
 * escaped, cut at whole characters. What is empty leaves `words` as they were. */
void failure_set_message(struct failure *failure, const char *text, size_t length);

/*
 * Drops the words, and the request id, if any run of 8 bytes of `value` (the whole value where it
 * is shorter, but not below 4) occurs in them raw, base64 at any alignment, JSON-escaped or
 * percent-encoded: a service may quote what it refused. To be called before the value is wiped.
 */
void failure_redact(struct failure *failure, const uint8_t *value, size_t length);

/* True if it says that the service cannot be reached or used now, and not what is wrong with one
 * request. */
bool failure_means_down(const struct failure *failure);

/* "EACCES" for EACCES, "E1234" for what has no name. Static. */
const char *failure_errno_name(int error);
