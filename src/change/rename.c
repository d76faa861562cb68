/*
 * Renames or copies a stored secret: from its sealed value (Fastly), by the service's own duplicate
 * (Cloudflare), or from a value that is still at hand.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fetch/catalog.h"
#include "sstorefs/change.h"

static void make_new(struct rename_op *renaming);
static void delete_old(struct rename_op *renaming);
static void lookup_at_hand(struct rename_op *renaming);
static void publish_recalled(struct rename_op *renaming);
static void on_retry_timer(struct timer *timer);
static void describe_new(struct rename_op *renaming);

static struct listing *listing_of(const struct rename_op *renaming)
{
	return &renaming->store->secrets;
}

static struct catalog *catalog_of(const struct rename_op *renaming)
{
	return renaming->store->catalog;
}

static void op_release(struct rename_op *renaming)
{
	lookup_cancel(&renaming->lookup);
	api_call_cancel(&renaming->api_call);
	if (renaming->recalled)
		put_cancel(&renaming->put);
	renaming->recalled = false;
	timer_stop(catalog_of(renaming)->loop, &renaming->timer);
	timer_stop(catalog_of(renaming)->loop, &renaming->retry_timer);
	name_queue_leave(&renaming->tickets[0]);
	name_queue_leave(&renaming->tickets[1]);
	buffer_finish(&renaming->scopes);
	buffer_finish(&renaming->comment);
}

static void op_finish(struct rename_op *renaming)
{
	struct failure *failure = &renaming->failure;

	if (failure->errnum && renaming->indeterminate) {
		if (failure->errnum != ETIMEDOUT)
			failure->errnum = EIO;
		listing_invalidate(listing_of(renaming), renaming->to, 0);
		listing_invalidate(listing_of(renaming), renaming->from, 0);
	}
	op_release(renaming);
	renaming->done(renaming);
}

static void fail(struct rename_op *renaming, int error, const char *why)
{
	failure_set(&renaming->failure, error, "%s", why);
	op_finish(renaming);
}

/* Whether a request of the present step has left. */
static bool was_sent(const struct rename_op *renaming)
{
	return renaming->api_call.http.times_sent ||
	       (renaming->recalled && renaming->put.api_call.http.times_sent);
}

static void timed_out(struct timer *timer)
{
	struct rename_op *renaming = container_of(timer, struct rename_op, timer);

	renaming->indeterminate = renaming->indeterminate || was_sent(renaming);
	fail(renaming, ETIMEDOUT, "the service did not answer in time");
}

void rename_cancel(struct rename_op *renaming)
{
	if (renaming->indeterminate || was_sent(renaming)) {
		listing_invalidate(listing_of(renaming), renaming->to, 0);
		listing_invalidate(listing_of(renaming), renaming->from, 0);
	}
	op_release(renaming);
}

/* --- both names are ours
 * -----------------------------------------------------------------------------------------------------------
 */

static void start_old_lookup(struct rename_op *renaming);

static void on_second_queue_head(struct name_ticket *ticket)
{
	start_old_lookup(container_of(ticket, struct rename_op, tickets[1]));
}

/* Names are always taken in one order, so that two moves the opposite way never wait for each
 * other. */
static void on_first_queue_head(struct name_ticket *ticket)
{
	struct rename_op *renaming = container_of(ticket, struct rename_op, tickets[0]);
	const char *second =
		strcmp(renaming->from, renaming->to) < 0 ? renaming->to : renaming->from;

	renaming->tickets[1] = (struct name_ticket){.begin = on_second_queue_head};
	if (name_queue_join(listing_of(renaming), second, &renaming->tickets[1]))
		fail(renaming, ENOMEM, "out of memory");
}

void rename_start(struct rename_op *renaming)
{
	const char *first =
		strcmp(renaming->from, renaming->to) < 0 ? renaming->from : renaming->to;

	renaming->failure = (struct failure){0};
	renaming->timer = (struct timer){.expired = timed_out};
	renaming->retry_timer = (struct timer){.expired = on_retry_timer};
	renaming->retries = 0;
	renaming->tickets[0] = (struct name_ticket){.begin = on_first_queue_head};
	if (timer_start(catalog_of(renaming)->loop, &renaming->timer, renaming->deadline + 50) ||
	    name_queue_join(listing_of(renaming), first, &renaming->tickets[0]))
		fail(renaming, ENOMEM, "out of memory");
}

/* --- what is there under the old name, and under the new one?
 * ---------------------------------------------------------------------- */

static void start_lookup(struct rename_op *renaming, const char *name, bool again,
			 void (*done)(struct lookup *lookup))
{
	renaming->lookup = (struct lookup){
		.deadline = renaming->deadline, .bypass_cache = again, .done = done};
	strcpy(renaming->lookup.name, name);
	lookup_start(listing_of(renaming), &renaming->lookup);
}

/* What is found later must be what is moved now: its texts are kept, for the record may go. */
static void keep_texts(struct rename_op *renaming, const struct record *record)
{
	struct entry_text text;
	struct entry entry;

	record_entry(record, &entry, &text);
	renaming->entry_id = record->entry_id;
	snprintf(renaming->id, sizeof renaming->id, "%s", entry.id ? entry.id : "");
	snprintf(renaming->digest, sizeof renaming->digest, "%s", entry.digest ? entry.digest : "");
	buffer_finish(&renaming->scopes);
	buffer_finish(&renaming->comment);
	buffer_puts(&renaming->scopes, entry.scopes ? entry.scopes : "");
	buffer_puts(&renaming->comment, entry.comment ? entry.comment : "");
}

static void on_new_lookup(struct lookup *lookup)
{
	struct rename_op *renaming = container_of(lookup, struct rename_op, lookup);
	bool present = !lookup->failure.errnum;

	if (!present && lookup->failure.errnum != ENOENT) {
		renaming->failure = lookup->failure;
		op_finish(renaming);
	} else if (present && renaming->no_replace) {
		fail(renaming, EEXIST, "there is a secret of the new name already");
	} else if (present && catalog_of(renaming)->options.provider->has_copy) {
		lookup_at_hand(renaming);
	} else {
		renaming->target_existed = present;
		make_new(renaming);
	}
}

static bool recall(struct rename_op *renaming, const struct record *record)
{
	renaming->put = (struct put_op){0};
	return !renaming->copy && renaming->recall &&
	       renaming->recall(renaming, record, &renaming->put);
}

static void on_old_lookup(struct lookup *lookup)
{
	struct rename_op *renaming = container_of(lookup, struct rename_op, lookup);
	const struct provider *provider = catalog_of(renaming)->options.provider;

	if (lookup->failure.errnum) {
		renaming->failure = lookup->failure;
		op_finish(renaming);
		return;
	}
	keep_texts(renaming, lookup->record);
	if (!provider->has_copy && !provider->seals && recall(renaming, lookup->record)) {
		publish_recalled(renaming);
		return;
	}
	if (!provider->has_copy &&
	    !sealed_cache_find(&catalog_of(renaming)->sealed_cache, renaming->store, renaming->from,
			       renaming->digest, loop_now(catalog_of(renaming)->loop))) {
		fail(renaming, EOPNOTSUPP,
		     "this service cannot rename, and what was written here is no longer at hand: write it anew under the new name");
		return;
	}
	start_lookup(renaming, renaming->to, false, on_new_lookup);
}

static void start_old_lookup(struct rename_op *renaming)
{
	/* A box holds what we wrote. If another client has written since, that would be lost with
	 * the old name: so the service is asked. */
	start_lookup(renaming, renaming->from, !catalog_of(renaming)->options.provider->has_copy,
		     on_old_lookup);
}

static void on_old_lookup_again(struct lookup *lookup)
{
	struct rename_op *renaming = container_of(lookup, struct rename_op, lookup);

	if (lookup->failure.errnum) {
		renaming->failure = lookup->failure;
		op_finish(renaming);
	} else if (recall(renaming, lookup->record)) {
		keep_texts(renaming, lookup->record);
		publish_recalled(renaming);
	} else {
		fail(renaming, EOPNOTSUPP,
		     "this service cannot rename onto a name that is taken, and what was written here is no longer at hand: delete that one first");
	}
}

/* The service can copy, but not onto a name that is taken: that takes the value, if it is still
 * what the service has. */
static void lookup_at_hand(struct rename_op *renaming)
{
	start_lookup(renaming, renaming->from, true, on_old_lookup_again);
}

/* --- the new name
 * -------------------------------------------------------------------------------------------------------------------
 */

static int on_new_entry(void *context, const struct entry *entry)
{
	struct rename_op *renaming = context;
	struct entry named = *entry;

	named.name = renaming->to;
	renaming->got_entry = true;
	/* An entry of its own, until the old name is gone: if that can't be deleted, both stay. */
	listing_local_put(listing_of(renaming), &named, 0);
	snprintf(renaming->digest, sizeof renaming->digest, "%s",
		 entry->digest ? entry->digest : "");
	return 0;
}

/* Another client was there first: what it wrote is not ours to replace, and what we have must not
 * go. */
static void on_new_taken(struct rename_op *renaming)
{
	if (renaming->no_replace)
		failure_set(&renaming->failure, EEXIST,
			    "there is a secret of the new name already");
	else
		failure_set(
			&renaming->failure, EOPNOTSUPP,
			"another client was first, and this service cannot rename onto a name that is taken");
}

static void go_on(struct rename_op *renaming)
{
	if (renaming->copy)
		op_finish(renaming);
	else
		delete_old(renaming);
}

/* The value, under the new name: what is there is replaced. What the old name stands for can't
 * change meanwhile, for its turn is ours. */
static void recalled_published(struct put_op *put)
{
	struct rename_op *renaming = container_of(put, struct rename_op, put);

	renaming->recalled = false;
	renaming->failure = put->failure;
	if (renaming->failure.errnum)
		op_finish(renaming);
	else if (put->record)
		delete_old(renaming);
	else
		describe_new(renaming);
}

static void publish_recalled(struct rename_op *renaming)
{
	struct put_op *put = &renaming->put;

	put->store = renaming->store;
	put->name = renaming->to;
	put->mode = renaming->no_replace ? PUT_CREATE : PUT_UPSERT;
	put->deadline = renaming->deadline;
	put->is_queue_head = true;
	put->done = recalled_published;
	renaming->recalled = true;
	put_start(put);
}

/* It was free before we asked, and is not now: ours, if the service has made it since. */
static void new_found(struct rename_op *renaming, const struct record *record)
{
	renaming->indeterminate = false;
	if (!catalog_is_since(catalog_of(renaming), record_changed_at(record), renaming->sent_at)) {
		on_new_taken(renaming);
		op_finish(renaming);
	} else {
		renaming->failure = (struct failure){0};
		go_on(renaming);
	}
}

static void on_retry_timer(struct timer *timer)
{
	make_new(container_of(timer, struct rename_op, retry_timer));
}

/* It was lost and has done nothing. The service is not well: it is not asked again at once. */
static void try_later(struct rename_op *renaming)
{
	struct loop *loop = catalog_of(renaming)->loop;
	uint64_t at = loop_now(loop) + net_backoff(renaming->retries++);

	if (at >= renaming->deadline || timer_start(loop, &renaming->retry_timer, at))
		op_finish(renaming); /* with the failure of the attempt that was lost */
}

static void on_new_settled(struct lookup *lookup)
{
	struct rename_op *renaming = container_of(lookup, struct rename_op, lookup);

	if (!lookup->failure.errnum && !renaming->target_existed) {
		new_found(renaming, lookup->record);
	} else if (lookup->failure.errnum == ENOENT) {
		renaming->indeterminate = false;
		try_later(renaming);
	} else {
		op_finish(renaming); /* with the failure of the attempt that was lost */
	}
}

/* It is there, whatever the look brought. */
static void new_described(struct lookup *lookup)
{
	go_on(container_of(lookup, struct rename_op, lookup));
}

/* The kernel asks at once what has the new name, and nothing was said of it. */
static void describe_new(struct rename_op *renaming)
{
	listing_invalidate(listing_of(renaming), renaming->to, 0);
	start_lookup(renaming, renaming->to, true, new_described);
}

static void on_new_made(struct api_call *api_call)
{
	struct rename_op *renaming = container_of(api_call, struct rename_op, api_call);
	bool lost = api_call->http.indeterminate;

	renaming->failure = api_call->failure;
	api_call_free(api_call);
	if (!renaming->failure.errnum) {
		if (renaming->got_entry)
			go_on(renaming);
		else
			describe_new(renaming);
		return;
	}
	/* The box is as good as it was: it is the key that serves no second time. */
	if (renaming->failure.errnum == EINVAL && !catalog_of(renaming)->options.provider->has_copy)
		renaming->failure.errnum = EOPNOTSUPP;
	if (renaming->failure.errnum == EEXIST || renaming->failure.errnum == ENOENT) {
		listing_invalidate(listing_of(renaming), renaming->to, 0);
		listing_invalidate(listing_of(renaming), renaming->from, 0);
	}
	if (renaming->failure.errnum == EEXIST)
		on_new_taken(renaming);
	if (!renaming->sent_at)
		renaming->sent_at = api_call->http.sent_at;
	renaming->indeterminate = lost;
	if (lost && !api_call->http.idempotent &&
	    loop_now(catalog_of(renaming)->loop) < renaming->deadline) {
		renaming->lookup = (struct lookup){.deadline = renaming->deadline,
						   .bypass_cache = true,
						   .done = on_new_settled};
		strcpy(renaming->lookup.name, renaming->to);
		lookup_start(listing_of(renaming), &renaming->lookup);
		return;
	}
	op_finish(renaming);
}

static void send_call(struct rename_op *renaming, enum operation operation, const char *name,
		      void (*done)(struct api_call *api_call))
{
	renaming->api_call = (struct api_call){.done = done};
	renaming->api_call.args.operation = operation;
	renaming->api_call.args.store_id = renaming->store->id;
	renaming->api_call.args.name = name;
	renaming->api_call.args.id = renaming->id[0] ? renaming->id : NULL;
	renaming->api_call.args.expires_at = TIME_UNKNOWN;
}

static void make_new(struct rename_op *renaming)
{
	struct catalog *catalog = catalog_of(renaming);
	const struct sealed_value *kept;
	struct op_args *args = &renaming->api_call.args;

	if (catalog->options.provider->has_copy) {
		send_call(renaming, OPERATION_DUPLICATE_SECRET, renaming->to, on_new_made);
		args->scopes = renaming->scopes.length ? buffer_cstr(&renaming->scopes) : NULL;
		args->comment = renaming->comment.length ? buffer_cstr(&renaming->comment) : NULL;
	} else {
		kept = sealed_cache_find(&catalog->sealed_cache, renaming->store, renaming->from,
					 renaming->digest, loop_now(catalog->loop));
		if (!kept) {
			fail(renaming, EOPNOTSUPP,
			     "the key under which it was sealed has expired: write it anew under the new name");
			return;
		}
		send_call(renaming, OPERATION_PUT_SECRET, renaming->to, on_new_made);
		args->mode = renaming->no_replace ? PUT_CREATE : PUT_UPSERT;
		args->value = kept->sealed;
		args->value_length = kept->length;
		args->client_key = kept->key.public_key;
	}
	renaming->got_entry = false;
	renaming->api_call.result.on_entry = on_new_entry;
	renaming->api_call.result.context = renaming;
	api_call_start(catalog, &renaming->api_call, renaming->deadline);
	args->value = NULL;
	args->client_key = NULL;
}

/* --- the old name
 * -------------------------------------------------------------------------------------------------------------------
 */

static void on_old_deleted(struct api_call *api_call)
{
	struct rename_op *renaming = container_of(api_call, struct rename_op, api_call);
	struct failure *failure = &renaming->failure;

	*failure = api_call->failure;
	if (failure->errnum == ENOENT || failure->http_status == 404)
		*failure = (struct failure){0};
	if (failure->errnum) {
		char why[sizeof failure->message];

		snprintf(why, sizeof why, "%.400s", failure->message);
		failure_set(
			failure, failure->errnum,
			"it is there under both names now, for the old one could not be deleted: %s",
			why);
		listing_invalidate(listing_of(renaming), renaming->from, 0);
	} else {
		sealed_cache_rename(&catalog_of(renaming)->sealed_cache, renaming->store,
				    renaming->from, renaming->to, renaming->digest);
		/* The kernel keeps the old inode under the new name. */
		listing_local_rename(listing_of(renaming), renaming->from, renaming->to,
				     renaming->entry_id);
	}
	api_call_free(api_call);
	op_finish(renaming);
}

static void delete_old(struct rename_op *renaming)
{
	send_call(renaming, OPERATION_DELETE_SECRET, renaming->from, on_old_deleted);
	api_call_start(catalog_of(renaming), &renaming->api_call, renaming->deadline);
}
