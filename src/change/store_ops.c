/*
 * Creating and deleting stores.
 */
#include <errno.h>
#include <string.h>

#include "fetch/catalog.h"
#include "sstorefs/change.h"

#define TRIES_MAX 3 /* how often a store is created whose every attempt is lost without effect */

static void send_creation(struct store_change *change);

static void let_go(struct store_change *change)
{
	lookup_cancel(&change->look);
	inquiry_cancel(&change->inquiry);
	task_cancel(&change->task);
	timer_stop(change->catalog->loop, &change->pause);
	buffer_finish(&change->cursor);
}

static void end(struct store_change *change)
{
	let_go(change);
	change->done(change);
}

static void end_later(struct task *task)
{
	end(container_of(task, struct store_change, task));
}

void store_change_cancel(struct store_change *change)
{
	if (change->inquiry.call.sends)
		listing_doubt(&change->catalog->stores, change->store ? change->store->name : change->name,
			      0);
	let_go(change);
}

static void ask(struct store_change *change, enum operation operation, void (*done)(struct inquiry *inquiry))
{
	buffer_clear(&change->cursor);
	change->inquiry = (struct inquiry){.done = done};
	change->inquiry.ask.operation = operation;
	change->inquiry.ask.name = change->name;
	change->inquiry.ask.store_id = change->store ? change->store->id : NULL;
	change->inquiry.ask.page = 1;
}

/* --- mkdir ------------------------------------------------------------------------------------------------------------------- */

static int take_created(void *context, const struct entry *entry)
{
	struct store_change *change = context;
	struct entry named = *entry;

	named.name = change->name;
	change->told = true;
	return listing_own_put(&change->catalog->stores, &named, 0) ? 0 : -ENOMEM;
}

static void pause_over(struct timer *timer)
{
	send_creation(container_of(timer, struct store_change, pause));
}

/* It was lost and has done nothing. The service is not well: it is not asked again at once. */
static void try_later(struct store_change *change)
{
	struct loop *loop = change->catalog->loop;
	uint64_t at = loop_now(loop) + net_pause(change->tries);

	change->pause = (struct timer){.expired = pause_over};
	if (at >= change->deadline || timer_start(loop, &change->pause, at))
		end(change); /* with the failure of the attempt that was lost */
}

/* After a lost answer: a store of this name is there. Nobody can tell whether it is the one we made: a name that was free when it was asked for, and is taken
 * now, is what mkdir was to bring about. */
static void looked(struct lookup *lookup)
{
	struct store_change *change = container_of(lookup, struct store_change, look);

	if (!lookup->failure.error) {
		change->failure = (struct failure){0};
	} else if (lookup->failure.error == ENOENT && change->failure.error && ++change->tries < TRIES_MAX) {
		try_later(change);
		return;
	}
	end(change);
}

static void created(struct inquiry *inquiry)
{
	struct store_change *change = container_of(inquiry, struct store_change, inquiry);
	struct catalog *catalog = change->catalog;
	bool lost = inquiry->call.lost;
	/* Made and not described: without its id there is no way into it. */
	bool is_unknown = !inquiry->failure.error && !change->told;
	/* What was absent after an attempt that was lost, and is there now, may be that one's all the same. */
	bool must_look = lost || is_unknown || (change->tries && inquiry->failure.error == EEXIST);

	change->failure = inquiry->failure;
	inquiry_finish(inquiry);
	if (must_look || change->failure.error == EEXIST)
		listing_doubt(&catalog->stores, change->name, 0);
	if (!must_look) {
		end(change);
		return;
	}
	change->look = (struct lookup){.deadline = change->deadline, .again = true, .done = looked};
	strcpy(change->look.name, change->name);
	lookup_start(&catalog->stores, &change->look);
}

static void send_creation(struct store_change *change)
{
	change->told = false;
	ask(change, OPERATION_CREATE_STORE, created);
	change->inquiry.result.take = take_created;
	change->inquiry.result.context = change;
	inquiry_start(change->catalog, &change->inquiry, change->deadline);
}

void store_create_start(struct store_change *change)
{
	struct catalog *catalog = change->catalog;
	struct entry scope = {.name = change->name,
			      .id = change->name,
			      .created_at = TIME_UNKNOWN,
			      .modified_at = TIME_UNKNOWN,
			      .expires_at = TIME_UNKNOWN,
			      .livemode = -1};

	change->failure = (struct failure){0};
	change->task = (struct task){.run = end_later};
	if (catalog->options.provider->stores_are_local) {
		if (!listing_own_put(&catalog->stores, &scope, 0))
			failure_set(&change->failure, ENOMEM, "out of memory");
		task_queue(catalog->loop, &change->task);
		return;
	}
	change->tries = 0;
	change->pause = (struct timer){0};
	send_creation(change);
}

/* --- rmdir ------------------------------------------------------------------------------------------------------------------- */

static void deleted(struct inquiry *inquiry)
{
	struct store_change *change = container_of(inquiry, struct store_change, inquiry);

	change->failure = inquiry->failure;
	if (inquiry->call.lost && change->failure.status == 404)
		change->failure = (struct failure){0};
	/* It still has secrets: so nothing has become of what was lost. */
	if (inquiry->call.lost && change->failure.status == 409)
		failure_set(&change->failure, ENOTEMPTY, "the store %s still has secrets: delete them first",
			    change->store->name);
	if (!change->failure.error || change->failure.error == ENOENT)
		listing_own_delete(&change->catalog->stores, change->store->name);
	else if (inquiry->call.lost)
		listing_doubt(&change->catalog->stores, change->store->name, 0);
	inquiry_finish(inquiry);
	end(change);
}

static void delete_store(struct store_change *change)
{
	if (change->catalog->options.provider->stores_are_local) {
		listing_own_delete(&change->catalog->stores, change->store->name);
		end(change);
		return;
	}
	ask(change, OPERATION_DELETE_STORE, deleted);
	inquiry_start(change->catalog, &change->inquiry, change->deadline);
}

static int ignore_entry(void *context, const struct entry *entry)
{
	(void)context;
	(void)entry;
	return 0;
}

/* A page of the store that is to be deleted: one entry of any kind, or of none that we understand, keeps it. */
static void checked(struct inquiry *inquiry)
{
	struct store_change *change = container_of(inquiry, struct store_change, inquiry);
	struct result *result = &inquiry->result;

	change->failure = inquiry->failure;
	if (!change->failure.error && result->entries) {
		failure_set(&change->failure, ENOTEMPTY, "the store %s still has secrets: delete them first",
			    change->store->name);
	} else if (!change->failure.error && result->cursor.length) {
		buffer_clear(&change->cursor);
		buffer_append(&change->cursor, result->cursor.data, result->cursor.length);
		inquiry_finish(inquiry);
		inquiry->ask.cursor = buffer_text(&change->cursor);
		inquiry_start(change->catalog, inquiry, change->deadline);
		return;
	}
	inquiry_finish(inquiry);
	if (change->failure.error)
		end(change);
	else
		delete_store(change);
}

void store_delete_start(struct store_change *change)
{
	const struct provider *provider = change->catalog->options.provider;

	change->failure = (struct failure){0};
	change->task = (struct task){.run = end_later};
	if (provider->delete_store_checks) {
		delete_store(change);
		return;
	}
	ask(change, OPERATION_LIST_SECRETS, checked);
	change->inquiry.result.take = ignore_entry;
	inquiry_start(change->catalog, &change->inquiry, change->deadline);
}
