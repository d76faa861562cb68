#pragma once

#include "sstorefs/change_op.h"

/* Stores one value at the service. `change.entry_id` is the id of a new entry; 0: any. */
struct put_op {
	struct change_op change;
	const uint8_t *value; /* in locked memory, unchanged until the end */
	size_t length;	      /* at least 1 */
	enum put_mode mode;
	const char *scopes,
		*comment;   /* NULL: the mount's options for a new secret, else unchanged */
	bool expiry_is_set; /* use `expires_at`; else the present secret's expiry, or the mount's
			       option for a new one */
	wall_time_ns expires_at; /* TIME_UNKNOWN: never */
	struct locked_pool *pool;
	void (*done)(struct put_op *put);

	bool unknown; /* it failed, and whether the service has the value is not known */
	bool created; /* it succeeded, and the name was not in the cache */
	const struct record *record; /* in done(): the secret as it is now; NULL: not known */

	/* The rest is internal. */
	struct wait wait;
	struct locked_wait memory_wait;
	unsigned lookups;
	struct failure last_response; /* of the last attempt that was indeterminate */
	bool waited_for_key;
	bool fresh_key;	    /* it waited for its key, and its value is the first under it */
	bool exclusive_key; /* it takes a key for which there is no other value */
	bool got_entry;	    /* the response described the secret */
	uint64_t first_sent_at;
	uint8_t *sealed; /* the sealed value that is sent, from malloc */
	struct client_key sealed_under;
};

void put_start(struct put_op *put);

/* True if the operation waits in the queue of its name: nothing has been sent for it yet. */
bool put_is_queued(const struct put_op *put);

/* Ends it without `done`. If a request was sent, `unknown` is set and the name is invalidated. */
void put_cancel(struct put_op *put);
