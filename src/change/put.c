/*
 * Puts one value at the service: waits in the queue of the name, looks up what is there if the
 * service's verbs need it, waits for a client key, uploads, and finds out what became of an attempt
 * without a reply. The steps stand in the order in which they happen.
 */
#include <errno.h>
#include <stdlib.h>

#include "put_request.h"

static void start_lookup(struct put_op *put);
static void await_audience(struct put_op *put);
static void await_key(struct put_op *put);
static void send(struct put_op *put);

static struct put_op *put_of(struct change_op *op)
{
	return container_of(op, struct put_op, change);
}

static void conclude(struct change_op *op)
{
	struct put_op *put = put_of(op);
	struct failure *failure = &op->failure;

	put->unknown = failure->errnum && op->indeterminate;
	/* The cache was wrong about the secret, or about its store. */
	if (failure->errnum == ENOENT || failure->errnum == EEXIST)
		change_op_invalidate(op);
	if (failure->errnum == ENOENT && (put->mode != PUT_REPLACE || failure->store_is_deleted))
		listing_invalidate(&op_catalog(op)->stores, op->store->name, 0);
	if (failure->errnum && put->value)
		failure_redact(failure, put->value, put->length);
	/* Where versions are told by whole seconds, what was sealed before may look like what is
	 * stored now: a rename would send the older value. */
	if (put->unknown && op_provider(op)->store_keys)
		sealed_cache_drop(&op_catalog(op)->sealed_cache, op->store, op->name);
	put_keep_sealed(put);
}

static void release(struct change_op *op)
{
	struct put_op *put = put_of(op);

	wait_end(&put->wait);
	selection_finish(&put->selection);
	locked_wait_cancel(put->pool, &put->memory_wait);
	free(put->sealed);
	put->sealed = NULL;
	/* A service may have quoted the value, and this copy was never redacted. */
	put->last_response = (struct failure){0};
}

/* Fails at the deadline: what the service said before explains more than the deadline does. */
static void fail_at_deadline(struct put_op *put)
{
	if (put->last_response.errnum)
		change_op_fail_as(&put->change, &put->last_response);
	else
		change_op_fail(&put->change, ETIMEDOUT, "the service did not answer in time");
}

/* The deadline passed while the operation waited for the queue, a key or memory. */
static void time_out(struct change_op *op)
{
	struct put_op *put = put_of(op);

	if (put->memory_wait.queued.tqe_prev)
		change_op_fail(
			op, ENOBUFS,
			"no locked memory is left to send the value: raise RLIMIT_MEMLOCK or write fewer at once");
	else
		fail_at_deadline(put);
}

static void begin(struct change_op *op)
{
	struct put_op *put = put_of(op);
	const struct provider *provider = op_provider(op);
	const struct record *record = NULL;
	enum cache_result cached = listing_query_for_change(op->listing, op->name, &record);
	/* An indeterminate outcome is settled before the next request about the name is sent
	 * (doc/semantics.md, rule 13). */
	bool must_look_up = listing_is_invalid(op->listing, op->name);

	put->created = cached != CACHE_HIT;
	if (put->mode == PUT_CREATE)
		must_look_up |= !provider->has_create;
	else if (put->mode == PUT_REPLACE)
		must_look_up |=
			!provider->has_replace || (provider->writes_by_id && cached != CACHE_HIT);
	/* A replacement must repeat the expiry of the old value. */
	if (provider->has_expiry && cached == CACHE_MISS && !put->expiry_is_set)
		must_look_up = true;
	/* A replacement must repeat which repositories may use the secret, as it is now. */
	if (must_look_up || provider->visibilities)
		start_lookup(put);
	else
		await_audience(put);
}

static void retry(struct change_op *op)
{
	await_audience(put_of(op));
}

void put_start(struct put_op *put)
{
	static const struct change_steps steps = {.begin = begin,
						  .retry = retry,
						  .time_out = time_out,
						  .conclude = conclude,
						  .release = release};

	put->last_response = (struct failure){0};
	change_op_start(&put->change, put->change.name, &steps);
}

bool put_is_queued(const struct put_op *put)
{
	return name_queue_is_waiting(&put->change.ticket);
}

void put_cancel(struct put_op *put)
{
	put->unknown |= put->change.indeterminate || change_op_was_sent(&put->change);
	change_op_cancel(&put->change);
}

/* The lookup: what does the service have under this name? */

/* True if the entry was created since the first attempt to create it was sent. */
static bool is_ours(const struct put_op *put, const struct record *record)
{
	struct entry_text text;
	struct entry entry;

	record_entry(record, &entry, &text);
	return cache_is_since(&op_catalog(&put->change)->cache, entry.created_at,
			      put->first_sent_at);
}

static void on_create_lookup(struct put_op *put, const struct record *record)
{
	struct change_op *op = &put->change;

	if (op->indeterminate && put->created && is_ours(put, record))
		put->record = record;
	else
		failure_set(&op->failure, EEXIST, "there is a secret of this name already");
	op->indeterminate = false;
	change_op_finish(op);
}

static void on_lookup(struct lookup *lookup)
{
	struct put_op *put = container_of(lookup, struct put_op, change.lookup);
	struct change_op *op = &put->change;
	bool present = !lookup->failure.errnum, was_indeterminate = op->indeterminate;

	put->lookups++;
	if (!present && lookup->failure.errnum != ENOENT) {
		change_op_fail_as(op,
				  lookup->failure.errnum == ETIMEDOUT && put->last_response.errnum
					  ? &put->last_response
					  : &lookup->failure);
	} else if (put->mode == PUT_CREATE && present) {
		on_create_lookup(put, lookup->record);
	} else if (put->mode == PUT_REPLACE && !present) {
		op->indeterminate = false;
		change_op_fail(op, ENOENT, "there is no secret of this name");
	} else {
		/* An attempt without effect may be made again; the outcome of one that will be
		 * replaced does not matter any more. */
		op->indeterminate = op->indeterminate && present;
		if (present && !was_indeterminate)
			put->created = false;
		if (!was_indeterminate || present)
			await_audience(put);
		else if (!change_op_retry(op))
			fail_at_deadline(put);
	}
}

static void start_lookup(struct put_op *put)
{
	/* If the entry is ours, it gets the entry id by which the kernel knows it. */
	if (put->change.indeterminate)
		change_op_invalidate(&put->change);
	change_op_lookup(&put->change, put->change.name, true, on_lookup);
}

/* The repositories that may use it */

static void on_selection(struct selection *selection)
{
	struct put_op *put = container_of(selection, struct put_op, selection);

	if (selection->failure.errnum) {
		change_op_fail_as(&put->change, &selection->failure);
		return;
	}
	await_key(put);
}

static void await_audience(struct put_op *put)
{
	struct change_op *op = &put->change;
	const struct record *record;
	struct entry_text text;
	struct entry entry = {0};

	if (!op_provider(op)->visibilities || put->has_audience) {
		await_key(put);
		return;
	}
	record = change_op_query(op);
	if (record)
		record_entry(record, &entry, &text);
	if (record && put->resends && !strcmp(put->resends, op->name))
		entry_version(&put->resent_version, &entry);
	put->has_audience = true;
	if (!put_set_audience(put, &entry)) {
		await_key(put);
		return;
	}
	put->selection.store = op->store;
	put->selection.name = put->resends ? put->resends : op->name;
	put->selection.deadline = op->deadline;
	put->selection.done = on_selection;
	selection_start(&put->selection);
}

/* The client key */

static void on_key(struct wait *wait)
{
	struct put_op *put = container_of(wait, struct put_op, wait);
	struct client_keys *keys = client_keys_of(put->change.store);

	if (keys->failure.errnum) {
		change_op_fail_as(&put->change, &keys->failure);
		return;
	}
	put->waited_for_key = true;
	await_key(put);
}

static bool has_key(struct put_op *put)
{
	struct client_keys *keys = client_keys_of(put->change.store);
	struct failure *failure = &put->change.failure;

	if (put->exclusive_key && !op_provider(&put->change)->store_keys)
		return client_keys_get_exclusive(keys, failure) != NULL;
	if (!client_keys_get(keys, failure))
		return false;
	put->fresh_key = client_keys_mark_used(keys) && put->waited_for_key;
	return true;
}

static void await_key(struct put_op *put)
{
	if (!op_provider(&put->change)->seals || put->resends || has_key(put)) {
		send(put);
	} else if (put->change.failure.errnum) {
		change_op_finish(&put->change);
	} else {
		put->wait.woken = on_key;
		wait_begin(&client_keys_of(put->change.store)->waits, &put->wait);
	}
}

/* The upload */

static int on_entry(void *context, const struct entry *entry)
{
	struct put_op *put = put_of(context);
	struct entry named = *entry;

	/* An entry without a version looks like the old one: better none (see on_response). */
	if (!entry->digest && entry->modified_at == TIME_UNKNOWN)
		return 0;
	/* The response may leave out or spell the name differently; it is the one we sent. */
	named.name = put->change.name;
	put->got_entry =
		listing_local_put(put->change.listing, &named, put->change.entry_id) != NULL;
	return 0;
}

/* True if the key was fetched for this value, and no other value can have used it up. */
static bool had_exclusive_key(const struct put_op *put)
{
	const struct client_keys *keys = client_keys_of(put->change.store);

	return put->exclusive_key || (!op_provider(&put->change)->store_keys && put->fresh_key &&
				      client_keys_used_once(keys, &put->sealed_under));
}

/* How often another client may create or delete the same name in turn before this one gives up. */
#define LOOKUPS_MAX 3

/* Retries once in another way where the rejection allows for it. False: it is final. */
static bool retry_differently(struct put_op *put, const struct failure *failure)
{
	const struct provider *provider = op_provider(&put->change);

	if (failure->key_is_rejected && !put->resends && !had_exclusive_key(put)) {
		/* Perhaps the key is too old or good for one value only, and the value is not
		 * wrong. */
		client_keys_reject(client_keys_of(put->change.store), &put->sealed_under);
		put->exclusive_key = true;
		await_key(put);
		return true;
	}
	if (provider->writes_by_id && put->lookups < LOOKUPS_MAX && put->mode != PUT_CREATE &&
	    (failure->errnum == EEXIST ||
	     (failure->errnum == ENOENT && !failure->store_is_deleted))) {
		/* Another client created or deleted it meanwhile: look it up again. */
		start_lookup(put);
		return true;
	}
	return false;
}

static void on_memory(struct locked_wait *wait)
{
	await_key(container_of(wait, struct put_op, memory_wait));
}

/* What a success did: the verb tells it, or the response does. */
static const char *effect_of(const struct op_args *args, const struct op_result *result)
{
	if (args->mode == PUT_CREATE || result->created)
		return "created";
	return args->mode == PUT_REPLACE || result->replaced ? "replaced" : NULL;
}

/* The response did not describe the secret: it is asked for when it is looked up. A new one is
 * shown in directories until then. */
static void show_undescribed(struct put_op *put)
{
	struct change_op *op = &put->change;

	if (listing_peek_any(op->listing, op->name)) {
		/* A file that was renamed onto the name is what is found there. */
		if (op->entry_id)
			listing_assign_id(op->listing, op->name, op->entry_id);
	} else {
		listing_local_put(op->listing,
				  &(struct entry){.name = op->name,
						  .created_at = put->stored_in.to,
						  .modified_at = put->stored_in.to,
						  .expires_at = TIME_UNKNOWN,
						  .livemode = -1},
				  op->entry_id);
	}
	change_op_invalidate(op);
}

static void on_response(struct api_call *api_call)
{
	struct put_op *put = container_of(api_call, struct put_op, change.api_call);
	struct change_op *op = &put->change;
	const struct op_result *result = &api_call->result;
	struct failure failure = api_call->failure;

	if (!put->first_sent_at)
		put->first_sent_at = api_call->http.sent_at;
	put->stored_in = api_call_span(api_call);
	/* A lost attempt may have created what the next one replaced. */
	if (!failure.errnum && !op->indeterminate && !api_call->http.indeterminate)
		put->effect = effect_of(&api_call->args, result);
	api_call_free(api_call);
	if (!failure.errnum) {
		op->indeterminate = false;
		op->failure = failure; /* of which the status is kept */
		/* Not the record of on_entry: a walk may have ended since and freed it. */
		if (put->got_entry)
			listing_query_for_change(op->listing, op->name, &put->record);
		else
			show_undescribed(put);
		change_op_finish(op);
		return;
	}
	if (api_call->http.indeterminate) {
		op->indeterminate = true;
		put->last_response = failure;
		if (!api_call->http.idempotent && loop_now(op_catalog(op)->loop) < op->deadline) {
			start_lookup(put);
			return;
		}
	} else if (failure.errnum == ENOBUFS && !api_call->http.times_sent) {
		/* Until other values are sent: the request's body holds the value once more,
		 * escaped. */
		put->memory_wait.available = on_memory;
		locked_wait(put->pool, &put->memory_wait);
		return;
	} else if (retry_differently(put, &failure)) {
		return;
	}
	change_op_fail_as(op, &failure);
}

static void send(struct put_op *put)
{
	struct change_op *op = &put->change;
	const struct provider *provider = op_provider(op);
	const struct record *record = change_op_query(op);
	struct op_args *args;
	int failed;

	if (put->mode == PUT_REPLACE && provider->writes_by_id && !op->id[0]) {
		change_op_fail(
			op, EINVAL,
			"the service told no id of this secret, and takes changes only by id");
		return;
	}
	args = change_op_prepare(op, OPERATION_PUT_SECRET, op->name, on_response);
	args->mode = put_verb(put);
	args->value = put->value;
	args->value_length = put->length;
	put_set_attributes(put, record, args);
	op->api_call.on_entry = on_entry;
	op->api_call.redact_value = put->value;
	op->api_call.redact_length = put->length;
	if (!provider->seals) {
		op->api_call.pool = put->pool;
	} else if ((failed = put_seal(put, args))) {
		change_op_fail(
			op, -failed,
			failed == -ENOMEM
				? "out of memory"
				: "the service takes this only with a value, and what was written here is no longer at hand: write it anew");
		return;
	}
	change_op_send(op);
	/* The request is written; parsing its response needs neither value nor key. */
	args->value = NULL;
	args->client_key = NULL;
}
