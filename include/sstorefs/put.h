#ifndef SSTOREFS_PUT_H
#define SSTOREFS_PUT_H

#include "sstorefs/api_call.h"
#include "sstorefs/name_queue.h"

/*
 * Puts one value at the service.
 */

/* One value on its way to the service. */
struct put_op {
	struct store *store;
	const char *name;
	const uint8_t *value; /* in locked memory, unchanged until done */
	size_t length;	      /* at least 1 */
	enum put_mode mode;
	const char *scopes, *comment; /* NULL: the mount's options where it is new, else as it is */
	bool expiry_is_set; /* `expires_at` counts; else what a present secret has, and the mount's
			       option for a new one */
	wall_time_ns expires_at; /* TIME_UNKNOWN: never */
	uint32_t entry_id;	 /* number of the new entry, where it is new; 0: any */
	struct locked_pool *pool;
	uint64_t deadline;
	void (*done)(struct put_op *put);
	bool is_queue_head; /* the name's turn is the caller's already */

	struct failure failure;
	bool unknown; /* it failed, and whether the service has the value is not known */
	bool created; /* it succeeded, and the name was new to us */

	struct name_ticket ticket;
	struct timer timer;
	struct wait wait;
	struct locked_wait memory_wait;
	struct lookup lookup;
	struct api_call api_call; /* the request under way */
	bool indeterminate;
	unsigned lookups;
	struct failure last_response; /* of the last attempt that was lost */
	struct timer retry_timer;     /* before an attempt that follows one that was lost */
	unsigned retries;
	bool waited_for_key;
	bool fresh_key;	    /* the one it waited for, and its is the first value under it */
	bool exclusive_key; /* it takes one that nothing else was or will be sealed under */
	uint64_t first_sent_at;
	bool got_entry; /* the answer described what is there now */
	const struct record
		*record; /* for the length of done(): what is there now; NULL: not known */
	uint8_t *sealed; /* the box that is sent, and the key it was sealed under */
	struct client_key sealed_under;
	char id[128]; /* the secret's, where it is addressed by id */
};

void put_start(struct put_op *put);

/* Whether its turn is still to come: nothing has been done for it yet. */
bool put_is_queued(const struct put_op *put);

/* Ends it without done(). If a request was sent, the name is doubted. */
void put_cancel(struct put_op *put);

#endif
