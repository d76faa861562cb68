/* A catalog over a scripted transport, in place of the network and the clock. */
#include "catalog_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fetch/catalog.h"
#include "sstorefs/wait.h"

/* --- the clock */

static uint64_t time_now = 1000000;

uint64_t __wrap_clock_boottime(void);

uint64_t __wrap_clock_boottime(void)
{
	return time_now;
}

/* --- the network */

void call_start(struct net *net, struct http_call *call)
{
	struct fixture *fixture = (struct fixture *)(void *)net;

	assert_true(fixture->asked_count < COUNT(fixture->asked));
	call->failure = (struct failure){0};
	call->completion = (struct task){0};
	call->state = (struct call_state *)(void *)fixture;
	fixture->asked[fixture->asked_count++] = call;
	fixture->calls++;
}

static struct http_call *take_call(struct fixture *fixture, size_t index)
{
	struct http_call *call;

	assert_true(index < fixture->asked_count);
	call = fixture->asked[index];
	fixture->asked_count--;
	memmove(&fixture->asked[index], &fixture->asked[index + 1],
		(fixture->asked_count - index) * sizeof(*fixture->asked));
	call->state = NULL;
	return call;
}

void call_cancel(struct http_call *call)
{
	struct fixture *fixture = (struct fixture *)(void *)call->state;

	for (size_t i = 0; fixture && i < fixture->asked_count; i++)
		if (fixture->asked[i] == call) {
			take_call(fixture, i);
			http_request_free(&call->request);
			return;
		}
}

bool call_runs(const struct http_call *call)
{
	return call->state != NULL;
}

const struct failure *net_down(const struct net *net)
{
	const struct fixture *fixture = (const struct fixture *)(const void *)net;

	return fixture->down.errnum ? &fixture->down : NULL;
}

bool net_is_failing(const struct net *net)
{
	return net_down(net) != NULL;
}

const struct failure *net_unauthorized(const struct net *net)
{
	(void)net;
	return NULL;
}

void net_renew_credentials(struct net *net)
{
	(void)net;
}

void net_set_service_time(struct net *net, wall_time_ns time)
{
	(void)net, (void)time;
}

void net_set_rate_limit(struct net *net, int64_t remaining, uint64_t resets_in_ms)
{
	(void)net;
	(void)remaining;
	(void)resets_in_ms;
}

/* --- the service */

static int fake_build_request(const struct provider *provider, const struct op_args *args,
			      struct http_request *request)
{
	(void)provider;
	(void)args;
	(void)request;
	return 0;
}

/* Says that there is the operation; fake_parse_response reads it. */
static int fake_parse(struct response_parser *parser, int failed)
{
	(void)parser;
	return failed;
}

static const struct script *response_script;

static int fake_parse_response(const struct provider *provider, const struct op_args *args,
			       const struct http_response *response, struct op_result *result,
			       struct failure *failure, enum retry_hint *retry_hint)
{
	(void)provider;
	(void)args;
	(void)response;
	for (size_t i = 0; i < response_script->count; i++) {
		int failed = result->on_entry(result->context, &response_script->entries[i]);

		if (failed)
			return failure_set(failure, -failed, "not taken");
		result->entries++;
	}
	result->entries += response_script->left_out;
	result->names_too_long = response_script->left_out;
	if (response_script->cursor)
		buffer_puts(&result->cursor, response_script->cursor);
	if (response_script->total || response_script->total_is_zero)
		result->total = response_script->total;
	*failure = response_script->failure;
	*retry_hint = response_script->retry_hint;
	return -response_script->failure.errnum;
}

static bool any_name(const char *displayed)
{
	return !strchr(displayed, '~') && !strchr(displayed, ' ');
}

void fixture_make(struct fixture *fixture, enum paging paging)
{
	*fixture = (struct fixture){0};
	fixture->provider = (struct provider){
		.name = "fake",
		.store_paging = paging,
		.secret_paging = paging,
		.page_size = 100,
		.request_id_header = "Request-Id",
		.gets_store_by_name = paging == PAGING_CURSOR,
		.gets_secret_by_name = paging == PAGING_CURSOR,
		.name_is_valid = any_name,
		.store_name_is_valid = any_name,
		.operations = fixture->operations,
		.build_request = fake_build_request,
		.parse_response = fake_parse_response,
	};
	for (size_t i = 0; i < OPERATION_COUNT; i++)
		fixture->operations[i].parse = fake_parse;
	fixture->options = (struct catalog_options){.provider = &fixture->provider,
						    .ttl = 60000,
						    .negative_ttl = 5000,
						    .timeout = 30000};
}

void fixture_start(struct fixture *fixture)
{
	assert_int_equal(loop_new(&fixture->loop), 0);
	assert_int_equal(catalog_new(&fixture->catalog, fixture->loop,
				     (struct net *)(void *)fixture, &fixture->options),
			 0);
}

void fixture_free(struct fixture *fixture)
{
	catalog_free(fixture->catalog);
	assert_int_equal(fixture->asked_count, 0);
	loop_free(fixture->loop);
}

struct store *fixture_store(struct fixture *fixture, const char *name)
{
	struct entry entry = entry_of(name, name);
	const struct record *record =
		listing_local_put(catalog_stores(fixture->catalog), &entry, 0);

	assert_non_null(record);
	return catalog_store(fixture->catalog, record);
}

void fixture_begin(struct fixture *fixture, enum paging paging, struct listing **listing)
{
	fixture_make(fixture, paging);
	fixture_start(fixture);
	*listing = store_secrets(fixture_store(fixture, "store"));
}

static int setup(void **state, enum paging paging)
{
	struct fixture *fixture = malloc(sizeof(*fixture));

	assert_non_null(fixture);
	fixture_begin(fixture, paging, &fixture->listing);
	*state = fixture;
	return 0;
}

int fixture_setup_cursor(void **state)
{
	return setup(state, PAGING_CURSOR);
}

int fixture_setup_numbered(void **state)
{
	return setup(state, PAGING_NUMBERED);
}

int fixture_teardown(void **state)
{
	fixture_free(*state);
	free(*state);
	return 0;
}

struct end {
	struct task task;
	struct loop *loop;
};

static void stop(struct task *task)
{
	loop_stop(container_of(task, struct end, task)->loop);
}

void advance_clock(struct fixture *fixture, uint64_t milliseconds)
{
	time_now += milliseconds;
	for (int turns = 0; turns < 3; turns++) {
		struct end end = {.task = {.run = stop}, .loop = fixture->loop};

		task_queue(fixture->loop, &end.task);
		assert_int_equal(loop_run(fixture->loop), 0);
	}
}

/* --- answers */

struct entry entry_of(const char *name, const char *id)
{
	return (struct entry){.name = name,
			      .id = id,
			      .created_at = SERVICE_TIME * NANOSECONDS,
			      .modified_at = SERVICE_TIME * NANOSECONDS,
			      .expires_at = TIME_UNKNOWN,
			      .livemode = -1};
}

void script_add(struct script *script, const char *name)
{
	assert_true(script->count < COUNT(script->entries));
	script->entries[script->count++] = entry_of(strdup(name), NULL);
}

void script_add_many(struct script *script, const char *prefix, unsigned from, unsigned count)
{
	char name[64];

	for (unsigned i = from; i < from + count; i++) {
		snprintf(name, sizeof(name), "%s%u", prefix, i);
		script_add(script, name);
	}
}

void script_clear(struct script *script)
{
	for (size_t i = 0; i < script->count; i++)
		free((char *)(uintptr_t)script->entries[i].name);
	*script = (struct script){0};
}

const struct op_args *args_of(const struct http_call *call)
{
	return &((const struct api_call *)(const void *)((const char *)call -
							 offsetof(struct api_call, http)))
			->args;
}

static void end_call(struct http_call *call)
{
	struct http_request request = call->request;

	call->request = (struct http_request){0};
	call->done(call);
	http_request_free(&request);
}

void answer(struct fixture *fixture, size_t index, struct script *script)
{
	struct http_call *call = take_call(fixture, index);
	struct http_response http = {.status = 200};

	buffer_append(&http.headers, "Date: Tue, 14 Nov 2023 22:13:20 GMT", 36);
	response_script = script;
	if (call->on_response(call, &http) == RESPONSE_OK)
		call->failure = (struct failure){0};
	http_response_free(&http);
	end_call(call);
}

void answer_names(struct fixture *fixture, size_t index, const char *prefix, unsigned from,
		  unsigned count, const char *cursor)
{
	struct script script = {.cursor = (char *)(uintptr_t)cursor};

	script_add_many(&script, prefix, from, count);
	answer(fixture, index, &script);
	script_clear(&script);
}

void attempt_fails(struct fixture *fixture, size_t index, int error)
{
	struct http_call *call = fixture->asked[index];

	assert_true(index < fixture->asked_count);
	failure_set(&call->failure, error, "an attempt failed");
	if (call->on_retry)
		call->on_retry(call);
}

void call_fails(struct fixture *fixture, size_t index, int error)
{
	struct http_call *call = take_call(fixture, index);

	failure_set(&call->failure, error, "the call failed");
	end_call(call);
}

/* --- lookups */

static void found(struct lookup *lookup)
{
	struct lookup_probe *lookup_probe = container_of(lookup, struct lookup_probe, lookup);

	lookup_probe->done++;
	lookup_probe->error = lookup->failure.errnum;
	lookup_probe->name[0] = lookup_probe->id[0] = '\0';
	if (!lookup->failure.errnum && lookup->record) {
		snprintf(lookup_probe->name, sizeof(lookup_probe->name), "%s",
			 lookup->record->name);
		snprintf(lookup_probe->id, sizeof(lookup_probe->id), "%s",
			 record_id(lookup->record) ? record_id(lookup->record) : "");
	}
	store_release(lookup_probe->store);
	lookup_probe->store = NULL;
}

void start_lookup(struct fixture *fixture, struct lookup_probe *lookup_probe,
		  struct listing *listing, const char *name)
{
	bool again = lookup_probe->lookup.bypass_cache;

	lookup_probe->lookup =
		(struct lookup){.deadline = loop_now(fixture->loop) + fixture->options.timeout,
				.bypass_cache = again,
				.done = found};
	lookup_probe->done = 0;
	snprintf(lookup_probe->lookup.name, sizeof(lookup_probe->lookup.name), "%s", name);
	lookup_start(listing, &lookup_probe->lookup);
	if (listing->refresh_name)
		advance_clock(fixture, REFRESH_DELAY);
}

void start_bypassing_lookup(struct fixture *fixture, struct lookup_probe *lookup_probe,
			    struct listing *listing, const char *name)
{
	lookup_probe->lookup.bypass_cache = true;
	start_lookup(fixture, lookup_probe, listing, name);
	lookup_probe->lookup.bypass_cache = false;
}

/* --- views */

const char *names_in(struct fixture *fixture, struct snapshot *view)
{
	static char text[16384];
	const struct record *record;
	uint64_t position = 0;
	size_t used = 0;

	text[0] = '\0';
	while ((record = snapshot_next(view, &position))) {
		const struct record *present = catalog_record(fixture->catalog, record->entry_id);

		if (!present || strcmp(present->name, record->name))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? " " : "",
					 record->name);
		assert_true(used < sizeof(text));
	}
	return text;
}

struct snapshot *view_of(struct listing *listing)
{
	struct failure failure = {0};
	struct snapshot *view = listing_open_view(listing, &failure);

	assert_non_null(view);
	return view;
}

void walk_through(struct fixture *fixture, struct listing *listing, unsigned from, unsigned count)
{
	snapshot_release(view_of(listing));
	assert_int_equal(fixture->asked_count, 1);
	answer_names(fixture, 0, "N", from, count, NULL);
	assert_int_equal(fixture->asked_count, 0);
}

const char *names_of(struct fixture *fixture, struct listing *listing)
{
	struct snapshot *view = view_of(listing);
	const char *names;

	names = names_in(fixture, view);
	snapshot_release(view);
	return names;
}

/* --- listings */

const struct record *known_of(struct listing *listing, const char *name)
{
	const struct record *record;

	listing_query(listing, name, &record);
	return record;
}

uint32_t entry_id_of(struct listing *listing, const char *name)
{
	const struct record *record = known_of(listing, name);

	return record ? record->entry_id : 0;
}

void apply_answer(struct listing *listing, const char *name, const char *id)
{
	struct entry entry = entry_of(name, id);

	assert_int_equal(listing_apply_answer(listing, name, id ? &entry : NULL), 0);
}

const struct record *own_put(struct listing *listing, const char *name, const char *id)
{
	struct entry entry = entry_of(name, id);
	const struct record *record = listing_local_put(listing, &entry, 0);

	assert_non_null(record);
	return record;
}

void answer_found(struct fixture *fixture, size_t index, const char *name, const char *id)
{
	struct script script = {.entries = {entry_of(name, id)}, .count = 1};

	assert_int_equal(args_of(fixture->asked[index])->operation, OPERATION_FIND_SECRET);
	answer(fixture, index, &script);
}

void assert_whole(struct fixture *fixture, const struct listing *listing, uint64_t entries)
{
	assert_int_equal(fixture->asked_count, 0);
	assert_null(listing->walk);
	assert_true(listing->is_complete);
	assert_int_equal(listing->last_failure.errnum, 0);
	assert_int_equal(listing->current->present, entries);
}
