/*
 * Renames or copies a stored secret: from its sealed value (Fastly), by the service's own duplicate
 * (Cloudflare), or from a value that is still at hand. The steps stand in the order in which they
 * happen.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "change_op.h"

static void on_second_queue_head(struct name_ticket *ticket);
static void make_new(struct rename_op *renaming);
static void delete_old(struct rename_op *renaming);
static void publish_recalled(struct rename_op *renaming);
static void describe_new(struct rename_op *renaming);

static struct rename_op *rename_of(struct change_op *op)
{
	return container_of(op, struct rename_op, change);
}

static void release(struct change_op *op)
{
	struct rename_op *renaming = rename_of(op);

	if (renaming->recalled)
		put_cancel(&renaming->put);
	renaming->recalled = false;
	name_queue_leave(&renaming->second_ticket);
	buffer_finish(&renaming->scopes);
	buffer_finish(&renaming->comment);
}

static void invalidate_new(struct rename_op *renaming)
{
	listing_invalidate(renaming->change.listing, renaming->to, 0);
	/* Two versions of one second look the same: an older sealed value of the new name could be
	 * sent for the present one. */
	sealed_cache_drop(&op_catalog(&renaming->change)->sealed_cache, renaming->change.store,
			  renaming->to);
}

static void conclude(struct change_op *op)
{
	if (op->failure.errnum && op->indeterminate)
		invalidate_new(rename_of(op));
}

/* Notes that a request of the present step was sent: the put of a recalled value has its own. */
static void note_sent(struct change_op *op)
{
	struct rename_op *renaming = rename_of(op);

	op->indeterminate |= change_op_was_sent(op) ||
			     (renaming->recalled && change_op_was_sent(&renaming->put.change));
}

static void time_out(struct change_op *op)
{
	note_sent(op);
	change_op_fail(op, ETIMEDOUT, "the service did not answer in time");
}

void rename_cancel(struct rename_op *renaming)
{
	note_sent(&renaming->change);
	if (renaming->change.indeterminate)
		invalidate_new(renaming);
	change_op_cancel(&renaming->change);
}

/* The queues of both names */

/* Returns the names in the one order in which their queues are joined, so that two renames the
 * opposite way never wait for each other. */
static const char *name_in_order(const struct rename_op *renaming, bool first)
{
	bool old_is_first = strcmp(renaming->change.name, renaming->to) < 0;

	return old_is_first == first ? renaming->change.name : renaming->to;
}

static void begin(struct change_op *op)
{
	struct rename_op *renaming = rename_of(op);

	renaming->second_ticket = (struct name_ticket){.begin = on_second_queue_head};
	if (name_queue_join(op->listing, name_in_order(renaming, false), &renaming->second_ticket))
		change_op_fail(op, ENOMEM, "out of memory");
}

static void retry(struct change_op *op)
{
	make_new(rename_of(op));
}

void rename_start(struct rename_op *renaming)
{
	static const struct change_steps steps = {.begin = begin,
						  .retry = retry,
						  .time_out = time_out,
						  .conclude = conclude,
						  .release = release};

	change_op_start(&renaming->change, name_in_order(renaming, true), &steps);
}

/* The lookups: what is there under the old name, and under the new one? */

/* Copies what identifies the secret and goes with its copy: the record may be freed meanwhile. */
static void keep_texts(struct rename_op *renaming, const struct record *record)
{
	struct entry_text text;
	struct entry entry;

	record_entry(record, &entry, &text);
	renaming->old_entry_id = record->entry_id;
	change_op_note_id(&renaming->change, record);
	entry_version(&renaming->version, &entry);
	buffer_finish(&renaming->scopes);
	buffer_finish(&renaming->comment);
	buffer_puts(&renaming->scopes, entry.scopes ? entry.scopes : "");
	buffer_puts(&renaming->comment, entry.comment ? entry.comment : "");
	snprintf(renaming->visibility, sizeof renaming->visibility, "%s",
		 entry.visibility ? entry.visibility : "");
}

static bool recall(struct rename_op *renaming, const struct record *record)
{
	renaming->put = (struct put_op){0};
	return !renaming->copy && renaming->recall &&
	       renaming->recall(renaming, record, &renaming->put);
}

static void on_old_lookup_again(struct lookup *lookup)
{
	struct rename_op *renaming = container_of(lookup, struct rename_op, change.lookup);

	if (lookup->failure.errnum) {
		change_op_fail_as(&renaming->change, &lookup->failure);
	} else if (recall(renaming, lookup->record)) {
		keep_texts(renaming, lookup->record);
		publish_recalled(renaming);
	} else {
		change_op_fail(
			&renaming->change, EOPNOTSUPP,
			"this service cannot rename onto a name that is taken, and what was written here is no longer at hand: delete that one first");
	}
}

static void on_new_lookup(struct lookup *lookup)
{
	struct rename_op *renaming = container_of(lookup, struct rename_op, change.lookup);
	struct change_op *op = &renaming->change;
	bool present = !lookup->failure.errnum;

	if (!present && lookup->failure.errnum != ENOENT) {
		change_op_fail_as(op, &lookup->failure);
	} else if (present && renaming->no_replace) {
		change_op_fail(op, EEXIST, "there is a secret of the new name already");
	} else if (present && op_provider(op)->has_copy) {
		/* The service cannot copy onto a name that is taken: that takes the value, if it is
		 * still what the service has. */
		change_op_lookup(op, op->name, true, on_old_lookup_again);
	} else {
		renaming->target_existed = present;
		make_new(renaming);
	}
}

static const struct sealed_value *find_sealed(const struct rename_op *renaming)
{
	const struct change_op *op = &renaming->change;
	const struct catalog *catalog = op_catalog(op);

	return sealed_cache_find(&catalog->sealed_cache, op->store, op->name, &renaming->version,
				 loop_now(catalog->loop));
}

static void on_old_lookup(struct lookup *lookup)
{
	struct rename_op *renaming = container_of(lookup, struct rename_op, change.lookup);
	struct change_op *op = &renaming->change;
	const struct provider *provider = op_provider(op);

	if (lookup->failure.errnum) {
		change_op_fail_as(op, &lookup->failure);
		return;
	}
	keep_texts(renaming, lookup->record);
	if (provider->visibilities && find_sealed(renaming)) {
		renaming->put = (struct put_op){.resends = op->name,
						.resent_version = renaming->version,
						.visibility = renaming->visibility};
		publish_recalled(renaming);
	} else if (!provider->has_copy && !provider->seals && recall(renaming, lookup->record)) {
		publish_recalled(renaming);
	} else if (!provider->has_copy && !find_sealed(renaming)) {
		change_op_fail(
			op, EOPNOTSUPP,
			"this service cannot rename, and what was written here is no longer at hand: write it anew under the new name");
	} else {
		/* Where the service has no verb that only creates, the lookup decides. */
		change_op_lookup(op, renaming->to, renaming->no_replace && !provider->has_create,
				 on_new_lookup);
	}
}

static void on_second_queue_head(struct name_ticket *ticket)
{
	struct change_op *op = &container_of(ticket, struct rename_op, second_ticket)->change;

	/* A sealed value is that of this mount. If another client has written since, its value
	 * would be lost with the old name: the lookup goes to the service. */
	change_op_lookup(op, op->name, !op_provider(op)->has_copy, on_old_lookup);
}

/* The new name */

static int on_new_entry(void *context, const struct entry *entry)
{
	struct rename_op *renaming = rename_of(context);
	struct entry named = *entry;

	named.name = renaming->to;
	renaming->got_entry = true;
	/* The new name has an entry id of its own until the old name is deleted: if that fails,
	 * both remain. */
	listing_local_put(renaming->change.listing, &named, 0);
	entry_version(&renaming->version, entry);
	return 0;
}

/* Another client created the new name first: its value is not replaced, and the old name stays. */
static void on_new_taken(struct rename_op *renaming)
{
	if (renaming->no_replace)
		failure_set(&renaming->change.failure, EEXIST,
			    "there is a secret of the new name already");
	else
		failure_set(
			&renaming->change.failure, EOPNOTSUPP,
			"another client was first, and this service cannot rename onto a name that is taken");
}

static void on_new_exists(struct rename_op *renaming)
{
	if (renaming->copy)
		change_op_finish(&renaming->change);
	else
		delete_old(renaming);
}

static void recalled_published(struct change_op *put)
{
	struct rename_op *renaming = container_of(put, struct rename_op, put.change);

	renaming->recalled = false;
	renaming->version = (struct entry_version){.changed_in = renaming->put.stored_in};
	if (put->failure.errnum)
		change_op_fail_as(&renaming->change, &put->failure);
	else if (renaming->put.record)
		delete_old(renaming);
	else
		describe_new(renaming);
}

/* Puts the recalled value under the new name, and replaces what is there. The secret of the old
 * name cannot change meanwhile: this operation is the head of its queue. */
static void publish_recalled(struct rename_op *renaming)
{
	struct put_op *put = &renaming->put;

	put->change.store = renaming->change.store;
	put->change.name = renaming->to;
	put->change.deadline = renaming->change.deadline;
	put->change.is_queue_head = true;
	put->mode = renaming->no_replace ? PUT_CREATE : PUT_UPSERT;
	put->change.done = recalled_published;
	renaming->recalled = true;
	put_start(put);
}

/* The name was free before and is taken now: by the lost attempt, if it was created since then. */
static void on_new_found(struct rename_op *renaming, const struct record *record)
{
	struct change_op *op = &renaming->change;

	op->indeterminate = false;
	if (!cache_is_since(&op_catalog(op)->cache, record_changed_at(record),
			    renaming->first_sent_at)) {
		on_new_taken(renaming);
		change_op_finish(op);
	} else {
		op->failure = (struct failure){0};
		on_new_exists(renaming);
	}
}

static void on_lookup_after_loss(struct lookup *lookup)
{
	struct rename_op *renaming = container_of(lookup, struct rename_op, change.lookup);
	struct change_op *op = &renaming->change;
	bool absent = lookup->failure.errnum == ENOENT;

	if (!lookup->failure.errnum && !renaming->target_existed) {
		on_new_found(renaming, lookup->record);
		return;
	}
	if (absent)
		op->indeterminate = false;
	if (!absent || !change_op_retry(op))
		change_op_finish(op); /* with the failure of the attempt that was lost */
}

/* The new name exists, whatever the lookup found. */
static void on_description(struct lookup *lookup)
{
	on_new_exists(container_of(lookup, struct rename_op, change.lookup));
}

/* Looks up the new name, which the response did not describe: the kernel requests it next. */
static void describe_new(struct rename_op *renaming)
{
	invalidate_new(renaming);
	change_op_lookup(&renaming->change, renaming->to, true, on_description);
}

static void on_new_made(struct api_call *api_call)
{
	struct rename_op *renaming = container_of(api_call, struct rename_op, change.api_call);
	struct change_op *op = &renaming->change;

	op->failure = api_call->failure;
	api_call_free(api_call);
	if (!op->failure.errnum) {
		if (!renaming->got_entry)
			renaming->version =
				(struct entry_version){.changed_in = api_call_span(api_call)};
		if (renaming->got_entry)
			on_new_exists(renaming);
		else
			describe_new(renaming);
		return;
	}
	/* The sealed value is as good as it was: the key is not taken a second time. */
	if (op->failure.errnum == EINVAL && !op_provider(op)->has_copy)
		op->failure.errnum = EOPNOTSUPP;
	if (op->failure.errnum == EEXIST || op->failure.errnum == ENOENT) {
		invalidate_new(renaming);
		change_op_invalidate(op);
	}
	op->indeterminate = api_call->http.indeterminate;
	/* An attempt that was lost may have taken effect only now. */
	if (op->failure.errnum == EEXIST && renaming->first_sent_at)
		op->indeterminate = true;
	else if (op->failure.errnum == EEXIST)
		on_new_taken(renaming);
	if (!renaming->first_sent_at)
		renaming->first_sent_at = api_call->http.sent_at;
	if (op->indeterminate && !api_call->http.idempotent &&
	    loop_now(op_catalog(op)->loop) < op->deadline)
		change_op_lookup(op, renaming->to, true, on_lookup_after_loss);
	else
		change_op_finish(op);
}

static void make_new(struct rename_op *renaming)
{
	struct change_op *op = &renaming->change;
	const struct sealed_value *kept;
	struct op_args *args;

	if (op_provider(op)->has_copy) {
		args = change_op_prepare(op, OPERATION_DUPLICATE_SECRET, renaming->to, on_new_made);
		args->scopes = renaming->scopes.length ? buffer_cstr(&renaming->scopes) : NULL;
		args->comment = renaming->comment.length ? buffer_cstr(&renaming->comment) : NULL;
	} else {
		kept = find_sealed(renaming);
		if (!kept) {
			change_op_fail(
				op, EOPNOTSUPP,
				"the key under which it was sealed has expired: write it anew under the new name");
			return;
		}
		args = change_op_prepare(op, OPERATION_PUT_SECRET, renaming->to, on_new_made);
		args->mode = renaming->no_replace && op_provider(op)->has_create ? PUT_CREATE
										 : PUT_UPSERT;
		args->value = kept->sealed;
		args->value_length = kept->length;
		args->client_key = kept->key.public_key;
		args->client_key_id = kept->key.id;
	}
	renaming->got_entry = false;
	op->api_call.on_entry = on_new_entry;
	change_op_send(op);
	args->value = NULL;
	args->client_key = NULL;
}

/* The old name */

static void on_old_deleted(struct api_call *api_call)
{
	struct rename_op *renaming = container_of(api_call, struct rename_op, change.api_call);
	struct change_op *op = &renaming->change;
	struct failure *failure = &op->failure;

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
		change_op_invalidate(op);
	} else {
		sealed_cache_rename(&op_catalog(op)->sealed_cache, op->store, op->name,
				    renaming->to, &renaming->version);
		/* The kernel keeps the old inode under the new name. */
		listing_local_rename(op->listing, op->name, renaming->to, renaming->old_entry_id);
	}
	api_call_free(api_call);
	change_op_finish(op);
}

static void delete_old(struct rename_op *renaming)
{
	change_op_prepare(&renaming->change, OPERATION_DELETE_SECRET, renaming->change.name,
			  on_old_deleted);
	change_op_send(&renaming->change);
}
