#pragma once

#include "sstorefs/api_call.h"
#include "sstorefs/name_queue.h"

/*
 * What every change at the service has in common: the queue of the name, the deadline, the lookup
 * and the API call of the present step, and the pause before another attempt.
 */
struct change_op {
	struct store *store; /* of the secret, borrowed; NULL to create a store */
	const char *name;    /* borrowed until the end */
	uint32_t entry_id;   /* of the entry, if the name turns out to be new; 0: any */
	bool is_queue_head;  /* the caller is the head of the name's queue already */
	uint64_t deadline;   /* CLOCK_BOOTTIME, milliseconds */

	struct failure failure; /* at the end: errnum 0, or why the change failed */

	/* The rest is internal. */
	const struct change_steps *steps;
	struct listing *listing;
	struct name_ticket ticket;
	struct timer timer;	  /* at the deadline */
	struct timer retry_timer; /* before an attempt that follows an indeterminate one */
	unsigned retries;
	bool indeterminate; /* an attempt was sent, and whether it took effect is not known */
	struct lookup lookup;
	struct api_call api_call;
	char id[128]; /* of the secret, where the service addresses it by id; "": not known */
};
