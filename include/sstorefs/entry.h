#pragma once

#include "sstorefs/clock.h"

/* Room for a service's digest where one is kept to be compared: base64 or hex of 64 bytes. A longer
 * one is not kept. */
#define DIGEST_TEXT_SIZE 132

/*
 * A version of a secret, by which a later change is noticed: the service's digest, or where it has
 * none the time of the last change, by the service's clock.
 */
struct entry_version {
	char digest[DIGEST_TEXT_SIZE]; /* "": there is none */
	struct time_span changed_in;   /* a moment, unless it is a version that was written here */
};

/* A store or a secret as the service described it. Borrowed: valid only during on_entry(). Absent
 * texts are NULL. */
struct entry {
	const char *name; /* displayed; NULL when the answer left it out (Stripe's delete) */
	const char *id;
	const char *digest; /* as the service sent it; NULL where it has none */
	wall_time_ns created_at;
	wall_time_ns modified_at; /* last change; the same as created_at where the service has only
				     that */
	wall_time_ns expires_at;  /* TIME_UNKNOWN: never */
	const char *status;
	const char *scopes; /* `a:b` */
	const char *comment;
	const char *visibility;	  /* which repositories may use it */
	const char *repositories; /* `a:b`, where they were selected; NULL: not known */
	int livemode;		  /* -1 where it does not apply */
};

/* An entry of which nothing else is known. */
#define ENTRY_WITH(...)                                                                            \
	(struct entry)                                                                             \
	{                                                                                          \
		.created_at = TIME_UNKNOWN, .modified_at = TIME_UNKNOWN,                           \
		.expires_at = TIME_UNKNOWN, .livemode = -1, __VA_ARGS__                            \
	}
