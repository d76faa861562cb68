#ifndef SSTOREFS_CHANGE_H
#define SSTOREFS_CHANGE_H

#include "sstorefs/api_call.h"
#include "sstorefs/catalog.h"

/*
 * Changes: what is done at the service. Each is a struct that its owner embeds, zeroes, fills in and starts; `done` is called once, from the loop or from
 * within the start, and `failure.error` is 0 or says why not. Changes to one name happen one after the other, in the order in which they were started.
 * Strings and stores are borrowed until the end.
 */

/* A name's turn: the queue of those who change it. */
struct name_ticket {
	void (*begin)(struct name_ticket *ticket);
	struct name_ticket *next;
	struct name_queue *queue;
	struct task task;
};

/* Queues for `name` in `listing`; begin() is called once it is this turn's, perhaps at once. A failure to queue (no memory) is -ENOMEM. */
int name_queue_join(struct listing *listing, const char *name, struct name_ticket *ticket);
/* Whether it has been queued for and has not begun. */
bool name_queue_is_waiting(const struct name_ticket *ticket);
/* Gives the turn up, begun or not. Nothing for a zeroed one. */
void name_queue_leave(struct name_ticket *ticket);

/* One value on its way to the service. */
struct put_op {
	struct store *store;
	const char *name;
	const uint8_t *value; /* in locked memory, unchanged until done */
	size_t length;	      /* at least 1 */
	enum put_mode mode;
	const char *scopes, *comment; /* NULL: the mount's options where it is new, else as it is */
	bool expiry_is_set; /* `expires_at` counts; else what a present secret has, and the mount's option for a new one */
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
	bool got_entry;		     /* the answer described what is there now */
	const struct record *record; /* for the length of done(): what is there now; NULL: not known */
	uint8_t *sealed;	     /* the box that is sent, and the key it was sealed under */
	struct client_key sealed_under;
	char id[128]; /* the secret's, where it is addressed by id */
};
void put_start(struct put_op *put);

/* Whether its turn is still to come: nothing has been done for it yet. */
bool put_is_queued(const struct put_op *put);

/* Ends it without done(). If a request was sent, the name is doubted. */
void put_cancel(struct put_op *put);

/* Deletes a secret. ENOENT only if none was there and no earlier attempt of ours was lost. */
struct delete_op {
	struct store *store;
	const char *name;
	uint64_t deadline;
	void (*done)(struct delete_op *deletion);

	struct failure failure;

	struct name_ticket ticket;
	struct timer timer;
	struct lookup lookup;
	struct api_call api_call;
	bool has_looked_up;
	char id[128];
};
void delete_start(struct delete_op *deletion);
void delete_cancel(struct delete_op *deletion);

/*
 * Gives a stored secret another name, or with `copy` one more. EOPNOTSUPP where the service has no way to do it, and its value is not at hand; then nothing was changed. If the old name
 * could not be deleted both stay, and the failure says so.
 */
struct rename_op {
	struct store *store;
	const char *from, *to;
	bool copy;	 /* the old name stays */
	bool no_replace; /* never onto a name that is taken */
	uint64_t deadline;
	void (*done)(struct rename_op *renaming);
	/*
	 * Where the service can't rename: fills in the value, its attributes and the pool, and returns true, if what was last written under the old name is at hand, and is
	 * what the service has there, `record`. NULL: it never is.
	 */
	bool (*recall)(struct rename_op *renaming, const struct record *record, struct put_op *put);

	struct failure failure;

	struct name_ticket tickets[2];
	struct timer timer;
	struct lookup lookup;
	struct api_call api_call;
	struct put_op put; /* of what was recalled, under the new name */
	struct buffer scopes, comment;
	uint32_t entry_id;
	bool target_existed, indeterminate, recalled;
	struct timer retry_timer; /* before an attempt that follows one that was lost */
	unsigned retries;
	bool got_entry;	  /* the answer described what has the new name */
	uint64_t sent_at; /* when the first attempt at the new name left */
	char id[128], digest[DIGEST_TEXT_SIZE];
};
void rename_start(struct rename_op *renaming);
void rename_cancel(struct rename_op *renaming);

/* Changes what a stored secret has beside its value. ENOENT if there is none. */
struct update_op {
	struct store *store;
	const char *name;
	const char *scopes, *comment; /* NULL: as it is; one of them is given */
	uint64_t deadline;
	void (*done)(struct update_op *update);

	struct failure failure;

	struct name_ticket ticket;
	struct timer timer;
	struct lookup lookup;
	struct api_call api_call;
	const struct record *record;
	bool has_looked_up;
	char id[128];
};
void update_start(struct update_op *update);
void update_cancel(struct update_op *update);

/* Creates or deletes a store. A store with secrets is not deleted: ENOTEMPTY, by the service's word or by looking there, never from memory. */
struct store_op {
	struct catalog *catalog;
	const char *name;    /* to create */
	struct store *store; /* to delete */
	uint64_t deadline;
	void (*done)(struct store_op *op);

	struct failure failure;

	struct api_call api_call;
	struct task task;
	struct lookup lookup;
	struct buffer cursor;
	bool got_entry;		  /* the answer described what was made */
	unsigned retries;	  /* attempts to create it that were lost, and without effect */
	struct timer retry_timer; /* before the next one */
};
void store_create_start(struct store_op *op);
void store_delete_start(struct store_op *op);
void store_op_cancel(struct store_op *op);

/* Sees to it that a client key is at hand when a value will need one: called when a file is opened for writing. */
void catalog_prepare_write(struct catalog *catalog);

/* Why no value can be sealed for now: the service's last client key was not to be trusted, and it is too early to ask for another. NULL: nothing is in the way. */
const struct failure *catalog_key_failure(const struct catalog *catalog);

/* When the client key that is held expires (CLOCK_BOOTTIME, milliseconds); 0: none is held or none is needed. */
uint64_t catalog_key_expires_at(const struct catalog *catalog);

#endif
