#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sstorefs/api_call.h"
#include "sstorefs/catalog.h"

/* A lookup, and what became of it. */
struct lookup_probe {
	struct lookup lookup;
	struct listing *listing;
	unsigned done;
	int error;
	char name[256]; /* of the record it was given; "" for none */
	char id[256];
	struct store *store; /* let go of at its end; NULL: none */
};

/*
 * A catalog over a transport that the test scripts: a call waits here until the test answers it.
 * The clock is the test's, too.
 */
struct fixture {
	struct loop *loop;
	struct catalog *catalog;
	struct catalog_options options;
	struct provider provider;
	struct service_operation operations[OPERATION_COUNT];
	struct failure down; /* what net_down returns; error 0: the service is up */
	struct http_call *asked[64];
	size_t asked_count;
	unsigned calls; /* that were ever started */
	/* Of a test with TEST_CURSOR or TEST_NUMBERED: the secrets of its store, and its lookups.
	 */
	struct listing *listing;
	struct lookup_probe probes[10];
};

/* Tests whose `state` is a struct fixture that fixture_begin has made. */
#define TEST_CURSOR(test)                                                                          \
	cmocka_unit_test_setup_teardown(test, fixture_setup_cursor, fixture_teardown)
#define TEST_NUMBERED(test)                                                                        \
	cmocka_unit_test_setup_teardown(test, fixture_setup_numbered, fixture_teardown)
int fixture_setup_cursor(void **state);
int fixture_setup_numbered(void **state);
int fixture_teardown(void **state);

/* The provider is numbered or by cursor; its answers are scripts. Changes to `options` and
 * `provider` before fixture_start. */
void fixture_make(struct fixture *fixture, enum paging paging);
void fixture_start(struct fixture *fixture);
void fixture_free(struct fixture *fixture);
/* Makes and starts one with nothing else changed; `listing` is that of the secrets of its one
 * store. */
void fixture_begin(struct fixture *fixture, enum paging paging, struct listing **listing);

/* A store called `name`, made by our own mkdir. Lives as long as the catalog keeps it. */
struct store *fixture_store(struct fixture *fixture, const char *name);

/* Runs the loop until it is idle, `milliseconds` later. */
void advance_clock(struct fixture *fixture, uint64_t milliseconds);

/* The service's time, that expiries are measured by. */
#define SERVICE_TIME INT64_C(1700000000)

/* One answer. */
struct script {
	struct entry entries[256];
	size_t count;
	unsigned left_out;
	char *cursor;  /* NULL: none */
	int64_t total; /* of numbered pages; 0: none */
	bool total_is_zero;
	struct failure failure; /* error set: this is the answer instead */
	enum retry_hint retry_hint;
};

/* An entry with nothing but a name and an id, and its place in a script. */
struct entry entry_of(const char *name, const char *id);
void script_add(struct script *script, const char *name);
void script_add_many(struct script *script, const char *prefix, unsigned from, unsigned count);
void script_clear(struct script *script);

/* What the call asks. */
const struct op_args *args_of(const struct http_call *call);

/* Answers the call that was asked at `index` (0: the oldest that waits). */
void answer(struct fixture *fixture, size_t index, struct script *script);
/* The oldest call is answered with one page of names `prefix`FROM…, and a cursor or none. */
void answer_names(struct fixture *fixture, size_t index, const char *prefix, unsigned from,
		  unsigned count, const char *cursor);
/* The single call at `index` finds `name`, under `id`. */
void answer_found(struct fixture *fixture, size_t index, const char *name, const char *id);
/* An attempt of it fails, and another follows; or it fails for good. */
void attempt_fails(struct fixture *fixture, size_t index, int error);
void call_fails(struct fixture *fixture, size_t index, int error);

void start_lookup(struct fixture *fixture, struct lookup_probe *lookup_probe,
		  struct listing *listing, const char *name);
void start_bypassing_lookup(struct fixture *fixture, struct lookup_probe *lookup_probe,
			    struct listing *listing, const char *name);

/* Opens the directory; what it shows so far. */
struct snapshot *view_of(struct listing *listing);
/* Opens the directory, and answers the walk that this begins: names from N`from` on. */
void walk_through(struct fixture *fixture, struct listing *listing, unsigned from, unsigned count);

/* Its walk has ended well, and all that it has brought are `entries`. */
void assert_whole(struct fixture *fixture, const struct listing *listing, uint64_t entries);

/* What a listing knows of a name, NULL and 0 for nothing; and what it learns, by a single call
 * (`id` NULL: it isn't there) or by a change of our own. */
const struct record *known_of(struct listing *listing, const char *name);
uint32_t entry_id_of(struct listing *listing, const char *name);
void apply_answer(struct listing *listing, const char *name, const char *id);
const struct record *own_put(struct listing *listing, const char *name, const char *id);

/* Names of a snapshot as a directory shows them, between blanks. Static. */
const char *names_in(struct fixture *fixture, struct snapshot *view);
/* Of a listing's present view, which must be there. */
const char *names_of(struct fixture *fixture, struct listing *listing);
