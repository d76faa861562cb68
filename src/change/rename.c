/*
 * Giving a stored secret another name, or one more: from its sealed box (Fastly), by the service's own duplicate (Cloudflare), or from the value where that is still at hand. The new name
 * is made first, and the old one deleted after it: at no moment is there none.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fetch/catalog.h"
#include "sstorefs/change.h"

static void make_new(struct move *move);
static void delete_old(struct move *move);
static void look_whether_at_hand(struct move *move);
static void publish_recalled(struct move *move);
static void pause_over(struct timer *timer);
static void describe_new(struct move *move);

static struct listing *listing_of(const struct move *move)
{
	return &move->store->secrets;
}

static struct catalog *catalog_of(const struct move *move)
{
	return move->store->catalog;
}

static void let_go(struct move *move)
{
	lookup_cancel(&move->look);
	inquiry_cancel(&move->inquiry);
	if (move->recalled)
		publication_cancel(&move->publication);
	move->recalled = false;
	timer_stop(catalog_of(move)->loop, &move->timer);
	timer_stop(catalog_of(move)->loop, &move->pause);
	turn_end(&move->turns[0]);
	turn_end(&move->turns[1]);
	buffer_finish(&move->scopes);
	buffer_finish(&move->comment);
}

static void end(struct move *move)
{
	struct failure *failure = &move->failure;

	if (failure->error && move->lost) {
		if (failure->error != ETIMEDOUT)
			failure->error = EIO;
		listing_doubt(listing_of(move), move->to, 0);
		listing_doubt(listing_of(move), move->from, 0);
	}
	let_go(move);
	move->done(move);
}

static void fail(struct move *move, int error, const char *words)
{
	failure_set(&move->failure, error, "%s", words);
	end(move);
}

/* Whether a request of the present step has left. */
static bool was_sent(const struct move *move)
{
	return move->inquiry.call.sends || (move->recalled && move->publication.inquiry.call.sends);
}

static void timed_out(struct timer *timer)
{
	struct move *move = container_of(timer, struct move, timer);

	move->lost = move->lost || was_sent(move);
	fail(move, ETIMEDOUT, "the service did not answer in time");
}

void move_cancel(struct move *move)
{
	if (move->lost || was_sent(move)) {
		listing_doubt(listing_of(move), move->to, 0);
		listing_doubt(listing_of(move), move->from, 0);
	}
	let_go(move);
}

/* --- both names are ours ----------------------------------------------------------------------------------------------------------- */

static void look_at_old(struct move *move);

static void second_turn_came(struct turn *turn)
{
	look_at_old(container_of(turn, struct move, turns[1]));
}

/* Names are always taken in one order, so that two moves the opposite way never wait for each other. */
static void first_turn_came(struct turn *turn)
{
	struct move *move = container_of(turn, struct move, turns[0]);
	const char *second = strcmp(move->from, move->to) < 0 ? move->to : move->from;

	move->turns[1] = (struct turn){.begin = second_turn_came};
	if (turn_take(listing_of(move), second, &move->turns[1]))
		fail(move, ENOMEM, "out of memory");
}

void move_start(struct move *move)
{
	const char *first = strcmp(move->from, move->to) < 0 ? move->from : move->to;

	move->failure = (struct failure){0};
	move->timer = (struct timer){.expired = timed_out};
	move->pause = (struct timer){.expired = pause_over};
	move->pauses = 0;
	move->turns[0] = (struct turn){.begin = first_turn_came};
	if (timer_start(catalog_of(move)->loop, &move->timer, move->deadline + 50) ||
	    turn_take(listing_of(move), first, &move->turns[0]))
		fail(move, ENOMEM, "out of memory");
}

/* --- what is there under the old name, and under the new one? ---------------------------------------------------------------------- */

static void look(struct move *move, const char *name, bool again, void (*done)(struct lookup *lookup))
{
	move->look = (struct lookup){.deadline = move->deadline, .again = again, .done = done};
	strcpy(move->look.name, name);
	lookup_start(listing_of(move), &move->look);
}

/* What is found later must be what is moved now: its texts are kept, for the record may go. */
static void keep_texts(struct move *move, const struct record *record)
{
	struct entry_text text;
	struct entry entry;

	record_entry(record, &entry, &text);
	move->serial = record->serial;
	snprintf(move->id, sizeof move->id, "%s", entry.id ? entry.id : "");
	snprintf(move->digest, sizeof move->digest, "%s", entry.digest ? entry.digest : "");
	buffer_finish(&move->scopes);
	buffer_finish(&move->comment);
	buffer_string(&move->scopes, entry.scopes ? entry.scopes : "");
	buffer_string(&move->comment, entry.comment ? entry.comment : "");
}

static void new_looked(struct lookup *lookup)
{
	struct move *move = container_of(lookup, struct move, look);
	bool present = !lookup->failure.error;

	if (!present && lookup->failure.error != ENOENT) {
		move->failure = lookup->failure;
		end(move);
	} else if (present && move->only_free) {
		fail(move, EEXIST, "there is a secret of the new name already");
	} else if (present && catalog_of(move)->options.provider->duplicates) {
		look_whether_at_hand(move);
	} else {
		move->had_new = present;
		make_new(move);
	}
}

static bool recall(struct move *move, const struct record *record)
{
	move->publication = (struct publication){0};
	return !move->copy && move->recall && move->recall(move, record, &move->publication);
}

static void old_looked(struct lookup *lookup)
{
	struct move *move = container_of(lookup, struct move, look);
	const struct provider *provider = catalog_of(move)->options.provider;

	if (lookup->failure.error) {
		move->failure = lookup->failure;
		end(move);
		return;
	}
	keep_texts(move, lookup->record);
	if (!provider->duplicates && !provider->seals && recall(move, lookup->record)) {
		publish_recalled(move);
		return;
	}
	if (!provider->duplicates && !boxes_find(&catalog_of(move)->boxes, move->store, move->from,
						 move->digest, loop_now(catalog_of(move)->loop))) {
		fail(move, EOPNOTSUPP,
		     "this service cannot rename, and what was written here is no longer at hand: write it anew under the new name");
		return;
	}
	look(move, move->to, false, new_looked);
}

static void look_at_old(struct move *move)
{
	/* A box holds what we wrote. If another client has written since, that would be lost with the old name: so the service is asked. */
	look(move, move->from, !catalog_of(move)->options.provider->duplicates, old_looked);
}

static void old_looked_again(struct lookup *lookup)
{
	struct move *move = container_of(lookup, struct move, look);

	if (lookup->failure.error) {
		move->failure = lookup->failure;
		end(move);
	} else if (recall(move, lookup->record)) {
		keep_texts(move, lookup->record);
		publish_recalled(move);
	} else {
		fail(move, EOPNOTSUPP,
		     "this service cannot rename onto a name that is taken, and what was written here is no longer at hand: delete that one first");
	}
}

/* The service can copy, but not onto a name that is taken: that takes the value, if it is still what the service has. */
static void look_whether_at_hand(struct move *move)
{
	look(move, move->from, true, old_looked_again);
}

/* --- the new name ------------------------------------------------------------------------------------------------------------------- */

static int take_new(void *context, const struct entry *entry)
{
	struct move *move = context;
	struct entry named = *entry;

	named.name = move->to;
	move->told = true;
	/* An entry of its own, until the old name is gone: if that can't be deleted, both stay. */
	listing_own_put(listing_of(move), &named, 0);
	snprintf(move->digest, sizeof move->digest, "%s", entry->digest ? entry->digest : "");
	return 0;
}

/* Another client was there first: what it wrote is not ours to replace, and what we have must not go. */
static void new_taken(struct move *move)
{
	if (move->only_free)
		failure_set(&move->failure, EEXIST, "there is a secret of the new name already");
	else
		failure_set(
			&move->failure, EOPNOTSUPP,
			"another client was first, and this service cannot rename onto a name that is taken");
}

static void go_on(struct move *move)
{
	if (move->copy)
		end(move);
	else
		delete_old(move);
}

/* The value, under the new name: what is there is replaced. What the old name stands for can't change meanwhile, for its turn is ours. */
static void recalled_published(struct publication *publication)
{
	struct move *move = container_of(publication, struct move, publication);

	move->recalled = false;
	move->failure = publication->failure;
	if (move->failure.error)
		end(move);
	else if (publication->record)
		delete_old(move);
	else
		describe_new(move);
}

static void publish_recalled(struct move *move)
{
	struct publication *publication = &move->publication;

	publication->store = move->store;
	publication->name = move->to;
	publication->mode = move->only_free ? PUT_CREATE : PUT_EITHER;
	publication->deadline = move->deadline;
	publication->has_turn = true;
	publication->done = recalled_published;
	move->recalled = true;
	publication_start(publication);
}

/* It was free before we asked, and is not now: ours, if the service has made it since. */
static void new_found(struct move *move, const struct record *record)
{
	move->lost = false;
	if (!catalog_is_since(catalog_of(move), record_changed_at(record), move->sent_at)) {
		new_taken(move);
		end(move);
	} else {
		move->failure = (struct failure){0};
		go_on(move);
	}
}

static void pause_over(struct timer *timer)
{
	make_new(container_of(timer, struct move, pause));
}

/* It was lost and has done nothing. The service is not well: it is not asked again at once. */
static void try_later(struct move *move)
{
	struct loop *loop = catalog_of(move)->loop;
	uint64_t at = loop_now(loop) + net_pause(move->pauses++);

	if (at >= move->deadline || timer_start(loop, &move->pause, at))
		end(move); /* with the failure of the attempt that was lost */
}

static void new_settled(struct lookup *lookup)
{
	struct move *move = container_of(lookup, struct move, look);

	if (!lookup->failure.error && !move->had_new) {
		new_found(move, lookup->record);
	} else if (lookup->failure.error == ENOENT) {
		move->lost = false;
		try_later(move);
	} else {
		end(move); /* with the failure of the attempt that was lost */
	}
}

/* It is there, whatever the look brought. */
static void new_described(struct lookup *lookup)
{
	go_on(container_of(lookup, struct move, look));
}

/* The kernel asks at once what has the new name, and nothing was said of it. */
static void describe_new(struct move *move)
{
	listing_doubt(listing_of(move), move->to, 0);
	look(move, move->to, true, new_described);
}

static void new_made(struct inquiry *inquiry)
{
	struct move *move = container_of(inquiry, struct move, inquiry);
	bool lost = inquiry->call.lost;

	move->failure = inquiry->failure;
	inquiry_finish(inquiry);
	if (!move->failure.error) {
		if (move->told)
			go_on(move);
		else
			describe_new(move);
		return;
	}
	/* The box is as good as it was: it is the key that serves no second time. */
	if (move->failure.error == EINVAL && !catalog_of(move)->options.provider->duplicates)
		move->failure.error = EOPNOTSUPP;
	if (move->failure.error == EEXIST || move->failure.error == ENOENT) {
		listing_doubt(listing_of(move), move->to, 0);
		listing_doubt(listing_of(move), move->from, 0);
	}
	if (move->failure.error == EEXIST)
		new_taken(move);
	if (!move->sent_at)
		move->sent_at = inquiry->call.sent_at;
	move->lost = lost;
	if (lost && !inquiry->call.repeatable && loop_now(catalog_of(move)->loop) < move->deadline) {
		move->look = (struct lookup){.deadline = move->deadline, .again = true, .done = new_settled};
		strcpy(move->look.name, move->to);
		lookup_start(listing_of(move), &move->look);
		return;
	}
	end(move);
}

static void ask(struct move *move, enum operation operation, const char *name,
		void (*done)(struct inquiry *inquiry))
{
	move->inquiry = (struct inquiry){.done = done};
	move->inquiry.ask.operation = operation;
	move->inquiry.ask.store_id = move->store->id;
	move->inquiry.ask.name = name;
	move->inquiry.ask.id = move->id[0] ? move->id : NULL;
	move->inquiry.ask.expires_at = TIME_UNKNOWN;
}

static void make_new(struct move *move)
{
	struct catalog *catalog = catalog_of(move);
	const struct box *box;
	struct ask *ask_new = &move->inquiry.ask;

	if (catalog->options.provider->duplicates) {
		ask(move, OPERATION_DUPLICATE_SECRET, move->to, new_made);
		ask_new->scopes = move->scopes.length ? buffer_text(&move->scopes) : NULL;
		ask_new->comment = move->comment.length ? buffer_text(&move->comment) : NULL;
	} else {
		box = boxes_find(&catalog->boxes, move->store, move->from, move->digest,
				 loop_now(catalog->loop));
		if (!box) {
			fail(move, EOPNOTSUPP,
			     "the key under which it was sealed has expired: write it anew under the new name");
			return;
		}
		ask(move, OPERATION_PUT_SECRET, move->to, new_made);
		ask_new->mode = move->only_free ? PUT_CREATE : PUT_EITHER;
		ask_new->value = box->sealed;
		ask_new->value_length = box->length;
		ask_new->client_key = box->key.public_key;
	}
	move->told = false;
	move->inquiry.result.take = take_new;
	move->inquiry.result.context = move;
	inquiry_start(catalog, &move->inquiry, move->deadline);
	ask_new->value = NULL;
	ask_new->client_key = NULL;
}

/* --- the old name ------------------------------------------------------------------------------------------------------------------- */

static void old_deleted(struct inquiry *inquiry)
{
	struct move *move = container_of(inquiry, struct move, inquiry);
	struct failure *failure = &move->failure;

	*failure = inquiry->failure;
	if (failure->error == ENOENT || failure->status == 404)
		*failure = (struct failure){0};
	if (failure->error) {
		char words[sizeof failure->words];

		snprintf(words, sizeof words, "%.400s", failure->words);
		failure_set(failure, failure->error,
			    "it is there under both names now, for the old one could not be deleted: %s",
			    words);
		listing_doubt(listing_of(move), move->from, 0);
	} else {
		boxes_rename(&catalog_of(move)->boxes, move->store, move->from, move->to, move->digest);
		/* The kernel keeps the old inode under the new name. */
		listing_own_rename(listing_of(move), move->from, move->to, move->serial);
	}
	inquiry_finish(inquiry);
	end(move);
}

static void delete_old(struct move *move)
{
	ask(move, OPERATION_DELETE_SECRET, move->from, old_deleted);
	inquiry_start(catalog_of(move), &move->inquiry, move->deadline);
}
