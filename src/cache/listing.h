/* A listing from the inside: what is known of one directory. */
#ifndef SSTOREFS_CACHE_LISTING_H
#define SSTOREFS_CACHE_LISTING_H

#include "snapshot.h"
#include "sstorefs/api_call.h"

/*
 * A listing from the inside: what is known of one directory, and the walk that finds it out.
 */
#define WALK_WIDTH	 8 /* numbered pages that are fetched side by side */
#define SINGLE_CALLS_MAX 3 /* names asked for one by one before the whole listing is the cheaper question */

struct page {
	struct walk *walk;
	struct api_call api_call;
	bool runs;
};

struct walk {
	struct listing *listing;
	uint32_t number;	    /* from 1, of all walks of the catalog */
	uint64_t began_at, good_at; /* good: when the last page came that could be used */
	struct page pages[WALK_WIDTH];
	struct buffer cursor, cycle_mark; /* where we are; a cursor seen before, to notice a circle */
	uint64_t done, next_cycle_mark;	  /* pages that came in */
	unsigned empty_pages;		  /* pages in a row that brought nothing new */
	unsigned next_page, last_page; /* numbered: the next to ask for; the last there is (0: not known) */
	int64_t total;		       /* what the service promised; -1: it did not */
	uint64_t entries, repeated;    /* of this round: that came, and those of them that had come before */
	uint64_t malformed;	       /* those that were none */
	unsigned new_entries;	       /* entries not seen before in this round, since the last page */
	unsigned pass;		       /* how often it went round again because the count was off */
	bool ended;		       /* numbered: an empty page was seen */
	bool total_unreliable;	       /* numbered: the promised count is not to be believed */
	struct failure failure;
};

struct listing {
	struct catalog *catalog;
	struct store *store; /* NULL: this is the listing of stores */
	uint32_t number;
	struct snapshot *current; /* what is known; NULL: nothing yet */
	struct snapshot *next;	  /* what the walk that runs has brought; NULL: none runs */
	bool is_complete;	  /* `current` came of a whole walk */
	uint64_t listed_at;	  /* when it was complete, CLOCK_BOOTTIME milliseconds */
	uint64_t whole_walk_ms;	  /* the last whole one, milliseconds */
	uint64_t last_walk_at;	  /* when the last walk ended, well or not; 0: there was none */
	uint64_t last_walk_ms;	  /* for how long that one kept the service busy, milliseconds */
	uint64_t
		last_failure_at; /* the last failed attempt of a refresh since the last good answer; 0: there was none */
	struct failure last_failure; /* of the last walk; error 0: it was whole */
	bool force_refresh; /* `refresh` was asked for: past its time, and not given while the service can be asked */
	uint64_t pages;			 /* of the last whole walk */
	unsigned single_lookups;	 /* single calls since the last whole walk */
	struct walk *walk;		 /* NULL: none runs */
	bool has_local_changes;		 /* records that were changed by us while a walk ran */
	struct name_query *name_queries; /* single calls on their way */
	struct task compaction;		 /* leaves out of `current` what is of no use any more */
};

int listing_init(struct listing *listing, struct catalog *catalog, struct store *store);
void listing_finish(struct listing *listing);

/* Begins a walk unless one runs. Returns 0 or -ENOMEM. */
int walk_begin(struct listing *listing);
void walk_abort(struct listing *listing);

/* What pages were read into goes back to the system: libc would keep it, in pieces, until the next walk. */
void trim_heap(struct task *task);

/* --- what is known and how fresh it is (listing.c) ------------------------------------------------------------------------- */

/* Whether it is of stores that only we know of: it never grows old. */
bool listing_is_local(const struct listing *listing);

/* Whether another walk now would leave the service enough time between walks. */
bool listing_can_afford_walk(const struct listing *listing);

/* What memory says of a name, however old. NULL is put into `*record` unless it is present. */
enum cache_result listing_peek(const struct listing *listing, const char *name, const struct record **record);

/* Nothing that is known now is fresh any more. */
void listing_expire(struct listing *listing);

/* Begins a refresh of the whole listing in the background, unless one runs or failed a moment ago. */
void listing_refresh(struct listing *listing);

/* An attempt to ask the service failed, or it answered. */
void listing_note_failure(struct listing *listing);
void listing_note_success(struct listing *listing);

/* --- how news comes together (merge.c) --------------------------------------------------------------------------------------- */

/* A walk begins: it is younger than all our own changes so far. */
void listing_walk_started(struct listing *listing);
/* An entry that a page of the walk brought. 0 or -ENOMEM. */
int listing_apply_page_entry(struct listing *listing, const struct entry *entry);
/* The walk is over, and was taken off the listing: `failure` NULL: it was whole. */
void listing_walk_done(struct listing *listing, const struct walk *walk, const struct failure *failure);

/* What a single call told of `name`: an entry, or NULL when there is none. 0 or -ENOMEM. */
int listing_apply_answer(struct listing *listing, const char *name, const struct entry *entry);

/* Takes the serial numbers of a snapshot's records off the table, where they still stand for these records. */
void listing_unbind_records(struct listing *listing, const struct snapshot *snapshot);

/* Rids `current` of what is of no use any more. */
void listing_compact(struct task *task);

/* --- single calls (name_query.c) -------------------------------------------------------------------------------------------------- */

/*
 * A single call for `name`, shared by all who ask. `fresh`: not one that is on its way already. NULL when memory
 * ran out. Who waits is woken when an attempt failed and another one follows, and at the end.
 */
struct name_query *name_query_start(struct listing *listing, const char *name, bool fresh, uint64_t deadline);
struct wait_list *name_query_waits(struct name_query *query);
bool name_query_has_ended(const struct name_query *query);
/* Once it has ended: why it failed; ENOENT: there is none. And whether we changed the name ourselves meanwhile. */
const struct failure *name_query_failure(const struct name_query *query);
bool name_query_is_superseded(const struct name_query *query);
void name_query_abort_all(struct listing *listing);

/* Whether a call for that name is on its way, and costs nothing to share. */
bool name_query_is_running(const struct listing *listing, const char *name);

/* Whether to ask for a record alone is the smaller question. */
bool name_query_is_cheaper(const struct listing *listing, const struct record *record);

/* Our own change to `name`: what a call that is on its way brings may be older. */
void name_query_supersede(struct listing *listing, const char *name);

/* Whether a name can be asked for by itself at all, and by one call of its exact name. */
bool name_query_is_possible(const struct listing *listing);
bool name_query_is_exact(const struct listing *listing, const char *name);

/*
 * Prepares `inquiry`, a search that has ended, for its next page; `cursor` keeps where that begins. False: there are
 * no more.
 */
bool search_next_page(const struct catalog *catalog, struct api_call *api_call, enum paging paging,
		      struct buffer *cursor);

#endif
