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
struct turn {
	void (*begin)(struct turn *turn);
	struct turn *next;
	struct turn_queue *queue;
	struct task task;
};

/* Queues for `name` in `listing`; begin() is called once it is this turn's, perhaps at once. A failure to queue (no memory) is -ENOMEM. */
int turn_take(struct listing *listing, const char *name, struct turn *turn);
/* Whether it has been queued for and has not begun. */
bool turn_is_to_come(const struct turn *turn);
/* Gives the turn up, begun or not. Nothing for a zeroed one. */
void turn_end(struct turn *turn);

/* One value on its way to the service. */
struct publication {
	struct store *store;
	const char *name;
	const uint8_t *value; /* in locked memory, unchanged until done */
	size_t length;	      /* at least 1 */
	enum put_mode mode;
	const char *scopes, *comment; /* NULL: the mount's options where it is new, else as it is */
	bool expiry_is_set; /* `expires_at` counts; else what a present secret has, and the mount's option for a new one */
	wall_time expires_at; /* TIME_UNKNOWN: never */
	uint32_t serial;      /* number of the new entry, where it is new; 0: any */
	struct locked_pool *pool;
	uint64_t deadline;
	void (*done)(struct publication *publication);
	bool has_turn; /* the name's turn is the caller's already */

	struct failure failure;
	bool unknown; /* it failed, and whether the service has the value is not known */
	bool created; /* it succeeded, and the name was new to us */

	struct turn turn;
	struct timer timer;
	struct wait wait;
	struct locked_wait room;
	struct lookup look;
	struct inquiry inquiry; /* the request under way */
	bool lost;
	unsigned looks;
	struct failure said; /* of the last attempt that was lost */
	struct timer pause;  /* before an attempt that follows one that was lost */
	unsigned pauses;
	bool waited_for_key;
	bool fresh_key; /* the one it waited for, and its is the first value under it */
	bool own_key;	/* it takes one that nothing else was or will be sealed under */
	uint64_t first_sent_at;
	bool told;		     /* the answer described what is there now */
	const struct record *record; /* for the length of done(): what is there now; NULL: not known */
	uint8_t *sealed;	     /* the box that is sent, and the key it was sealed under */
	struct client_key sealed_under;
	char id[128]; /* the secret's, where it is addressed by id */
};
void publication_start(struct publication *publication);

/* Whether its turn is still to come: nothing has been done for it yet. */
bool publication_waits(const struct publication *publication);

/* Ends it without done(). If a request was sent, the name is doubted. */
void publication_cancel(struct publication *publication);

/* Deletes a secret. ENOENT only if none was there and no earlier attempt of ours was lost. */
struct removal {
	struct store *store;
	const char *name;
	uint64_t deadline;
	void (*done)(struct removal *removal);

	struct failure failure;

	struct turn turn;
	struct timer timer;
	struct lookup look;
	struct inquiry inquiry;
	bool looked;
	char id[128];
};
void removal_start(struct removal *removal);
void removal_cancel(struct removal *removal);

/*
 * Gives a stored secret another name, or with `copy` one more. EOPNOTSUPP where the service has no way to do it, and its value is not at hand; then nothing was changed. If the old name
 * could not be deleted both stay, and the failure says so.
 */
struct move {
	struct store *store;
	const char *from, *to;
	bool copy;	/* the old name stays */
	bool only_free; /* never onto a name that is taken */
	uint64_t deadline;
	void (*done)(struct move *move);
	/*
	 * Where the service can't rename: fills in the value, its attributes and the pool, and returns true, if what was last written under the old name is at hand, and is
	 * what the service has there, `record`. NULL: it never is.
	 */
	bool (*recall)(struct move *move, const struct record *record, struct publication *publication);

	struct failure failure;

	struct turn turns[2];
	struct timer timer;
	struct lookup look;
	struct inquiry inquiry;
	struct publication publication; /* of what was recalled, under the new name */
	struct buffer scopes, comment;
	uint32_t serial;
	bool had_new, lost, recalled;
	struct timer pause; /* before an attempt that follows one that was lost */
	unsigned pauses;
	bool told;	  /* the answer described what has the new name */
	uint64_t sent_at; /* when the first attempt at the new name left */
	char id[128], digest[DIGEST_TEXT_SIZE];
};
void move_start(struct move *move);
void move_cancel(struct move *move);

/* Changes what a stored secret has beside its value. ENOENT if there is none. */
struct edit {
	struct store *store;
	const char *name;
	const char *scopes, *comment; /* NULL: as it is; one of them is given */
	uint64_t deadline;
	void (*done)(struct edit *edit);

	struct failure failure;

	struct turn turn;
	struct timer timer;
	struct lookup look;
	struct inquiry inquiry;
	const struct record *record;
	bool looked;
	char id[128];
};
void edit_start(struct edit *edit);
void edit_cancel(struct edit *edit);

/* Creates or deletes a store. A store with secrets is not deleted: ENOTEMPTY, by the service's word or by looking there, never from memory. */
struct store_change {
	struct catalog *catalog;
	const char *name;    /* to create */
	struct store *store; /* to delete */
	uint64_t deadline;
	void (*done)(struct store_change *change);

	struct failure failure;

	struct inquiry inquiry;
	struct task task;
	struct lookup look;
	struct buffer cursor;
	bool told;	    /* the answer described what was made */
	unsigned tries;	    /* attempts to create it that were lost, and without effect */
	struct timer pause; /* before the next one */
};
void store_create_start(struct store_change *change);
void store_delete_start(struct store_change *change);
void store_change_cancel(struct store_change *change);

/* Sees to it that a client key is at hand when a value will need one: called when a file is opened for writing. */
void catalog_expect_write(struct catalog *catalog);

/* Why no value can be sealed for now: the service's last client key was not to be trusted, and it is too early to ask for another. NULL: nothing is in the way. */
const struct failure *catalog_key_failure(const struct catalog *catalog);

/* When the client key that is held expires (CLOCK_BOOTTIME, milliseconds); 0: none is held or none is needed. */
uint64_t catalog_key_dies_at(const struct catalog *catalog);

#endif
