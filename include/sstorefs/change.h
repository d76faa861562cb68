#pragma once

#include "sstorefs/api_call.h"
#include "sstorefs/name.h"
#include "sstorefs/name_queue.h"

/*
 * Changes at the service. Each is a struct that its owner embeds, zeroes, fills in and starts;
 * `change.done` is called once, from the loop or from within the start, and `change.failure.errnum`
 * is 0 or says why it failed. Changes to one name are made one after the other, in the order in
 * which they were started. Strings and stores are borrowed until the end.
 */

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
	void (*done)(struct change_op *op);

	struct failure failure; /* at the end: errnum 0, or why the change failed */

	/* The rest is internal. */
	const struct change_steps *steps;
	struct listing *listing;
	struct name_ticket ticket;
	struct timer timer;	  /* at the deadline */
	struct timer retry_timer; /* before an attempt that follows an indeterminate one */
	unsigned retries;
	bool indeterminate; /* an attempt was sent, and whether it took effect is not known */
	bool has_looked_up; /* the id comes from the service, not from the cache */
	struct lookup lookup;
	struct api_call api_call;
	char id[128]; /* of the secret, where the service addresses it by id; "": not known */
};

/* Ends a change without `done`. If a request was sent, the name is invalidated. A put and a rename
 * have functions of their own for it. */
void change_op_cancel(struct change_op *op);

/* Deletes a secret. Fails with ENOENT only if there was none and no earlier attempt of this
 * operation is indeterminate. */
void delete_start(struct change_op *deletion);

/*
 * The repositories that may use a secret: those of the stored secret `name`, or those whose names
 * are in `repositories` (`a:b`). Embedded in its owner, zeroed, filled in and started; `done` is
 * called once, from the loop.
 */
struct selection {
	struct store *store;	  /* borrowed; NULL: it was not started */
	const char *name;	  /* borrowed until the end */
	const char *repositories; /* the same; NULL: those of `name` */
	uint64_t deadline;	  /* CLOCK_BOOTTIME, milliseconds */
	void (*done)(struct selection *selection);

	struct failure failure;	  /* EINVAL: one of the names is none */
	struct buffer ids, names; /* `1,2` and `a:b` */

	/* The rest is internal. */
	struct api_call api_call;
	const char *rest; /* of `repositories` */
	struct buffer name_sought;
	unsigned page;
	int64_t count, count_before; /* found so far, and before this page */
};
void selection_start(struct selection *selection);

/* Frees what it holds, and ends it without `done` if it runs. */
void selection_finish(struct selection *selection);

/* Stores one value at the service. `change.entry_id` is the id of a new entry; 0: any. */
struct put_op {
	struct change_op change;
	const uint8_t *value; /* in locked memory, unchanged until the end */
	size_t length;	      /* at least 1 */
	enum put_mode mode;
	const char *scopes,
		*comment; /* NULL: the mount's options for a new secret, else unchanged */
	const char *visibility, *repositories; /* the same; setting the latter sets the former */
	/* The value of this name, as it was sealed when it was written last, is sent in place of
	 * `value`, if it is still at hand; with its visibility, unless one is set. NULL: `value`
	 * is. */
	const char *resends;
	struct entry_version resent_version; /* that `resends` must have */
	bool expiry_is_set; /* use `expires_at`; else the present secret's expiry, or the mount's
			       option for a new one */
	wall_time_ns expires_at; /* TIME_UNKNOWN: never */
	struct locked_pool *pool;

	bool unknown;	    /* it failed, and whether the service has the value is not known */
	bool created;	    /* it succeeded, and the name was not in the cache */
	const char *effect; /* "created" or "replaced", where the service said so; else NULL */
	const struct record *record; /* in done(): the secret as it is now; NULL: not known */
	struct time_span stored_in;  /* it succeeded: when, by the service's clock */

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
	struct selection selection;
	char visibility_sent[32];
	bool has_audience;
	uint8_t *sealed; /* the sealed value that is sent, from malloc */
	struct client_key sealed_under;
};

void put_start(struct put_op *put);

/* True if the operation waits in the queue of its name: nothing has been sent for it yet. */
bool put_is_queued(const struct put_op *put);

/* Ends it without `done`. If a request was sent, `unknown` is set and the name is invalidated. */
void put_cancel(struct put_op *put);

/*
 * Renames the stored secret `change.name`, or with `copy` gives it a second name. Fails with
 * EOPNOTSUPP where the service cannot rename and the value is not at hand; then nothing was
 * changed. If the old name cannot be deleted both remain, and the failure says so.
 */
struct rename_op {
	struct change_op change;
	const char *to;
	bool copy;	 /* keep the old name */
	bool no_replace; /* fail with EEXIST if the new name is taken */
	/*
	 * Where the service cannot rename: fills in the value, its attributes and the pool, and
	 * returns true if the last value written under the old name is at hand and is the one that
	 * the service has there, `record`. NULL: it never is.
	 */
	bool (*recall)(struct rename_op *renaming, const struct record *record, struct put_op *put);

	/* The rest is internal. */
	struct name_ticket second_ticket;
	struct put_op put; /* of the recalled value, under the new name */
	bool recalled;	   /* `put` is under way */
	bool target_existed;
	bool got_entry; /* the response described the secret with the new name */
	struct buffer scopes, comment;
	uint32_t old_entry_id;
	uint64_t first_sent_at;	      /* when the first attempt at the new name was sent */
	struct entry_version version; /* of the old name, then of the new one */
	char visibility[32];	      /* of the old name */
};

void rename_start(struct rename_op *renaming);

/* Ends it without `done`. If a request was sent, both names are invalidated. */
void rename_cancel(struct rename_op *renaming);

/* Changes the attributes of a stored secret. Fails with ENOENT if there is none. */
struct update_op {
	struct change_op change;
	const char *scopes, *comment; /* NULL: unchanged; at least one is given; borrowed */
	const char *visibility, *repositories; /* the same */

	const struct record *record; /* in done(): the secret as it is now; NULL: not known */
	struct time_span stored_in;  /* in done(), as in put_op */

	/* The rest is internal. */
	struct put_op put; /* where a change takes the value: sends it again */
	bool is_resending;
};

void update_start(struct update_op *update);

/*
 * Creates the store `change.name`, or deletes the store `change.store`. A store with secrets is not
 * deleted: that fails with ENOTEMPTY, as the service says or as its listing shows, never from the
 * cache.
 */
struct store_op {
	struct change_op change;
	struct catalog *catalog;

	/* The rest is internal. */
	struct task task;
	bool got_entry;			   /* the response described the new store */
	char made_as[NAME_LENGTH_MAX + 1]; /* the name in the response, if it is another one */
};

void store_create_start(struct store_op *op);
void store_delete_start(struct store_op *op);

/* `name` was opened to be written: fetches a client key ahead of need, and spares the refresh of
 * what is known of the name and its store. */
void catalog_prepare_write(struct store *store, const char *name);

/* Returns why no value for `store` can be sealed for now: the last client key was rejected, and it
 * is too early to fetch another. NULL if values can be sealed as far as is known. */
const struct failure *catalog_key_failure(const struct store *store);

/* Returns when the client key that is good for longest expires (CLOCK_BOOTTIME, milliseconds); 0
 * without a key. */
uint64_t catalog_key_expires_at(const struct catalog *catalog);
