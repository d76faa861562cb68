/* Changing what a stored secret has beside its value: its turn, its id, the change. Which attributes can be set, and when, is the fs room's matter. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fetch/catalog.h"
#include "sstorefs/change.h"

static void send(struct edit *edit);

static struct listing *listing_of(const struct edit *edit)
{
	return &edit->store->secrets;
}

static void let_go(struct edit *edit)
{
	lookup_cancel(&edit->look);
	inquiry_cancel(&edit->inquiry);
	timer_stop(edit->store->catalog->loop, &edit->timer);
	turn_end(&edit->turn);
}

static void end(struct edit *edit)
{
	/* What we believed was wrong. */
	if (edit->failure.error == ENOENT)
		listing_doubt(listing_of(edit), edit->name, 0);
	if (edit->failure.store_is_gone)
		listing_doubt(&edit->store->catalog->stores, edit->store->name, 0);
	let_go(edit);
	edit->done(edit);
}

static void timed_out(struct timer *timer)
{
	struct edit *edit = container_of(timer, struct edit, timer);

	if (edit->inquiry.call.sends)
		listing_doubt(listing_of(edit), edit->name, 0);
	failure_set(&edit->failure, ETIMEDOUT, "the service did not answer in time");
	end(edit);
}

static void take_id(struct edit *edit, const struct record *record)
{
	const char *id = record ? record_id(record) : NULL;

	snprintf(edit->id, sizeof edit->id, "%s", id && strlen(id) < sizeof edit->id ? id : "");
}

static void turn_came(struct turn *turn)
{
	struct edit *edit = container_of(turn, struct edit, turn);
	const struct record *record = NULL;

	listing_known(listing_of(edit), edit->name, &record);
	take_id(edit, record);
	send(edit);
}

void edit_start(struct edit *edit)
{
	edit->failure = (struct failure){0};
	edit->timer = (struct timer){.expired = timed_out};
	edit->turn = (struct turn){.begin = turn_came};
	/* A little later than the call's own deadline, which knows more about what happened. */
	if (timer_start(edit->store->catalog->loop, &edit->timer, edit->deadline + 50) ||
	    turn_take(listing_of(edit), edit->name, &edit->turn)) {
		failure_set(&edit->failure, ENOMEM, "out of memory");
		end(edit);
	}
}

void edit_cancel(struct edit *edit)
{
	if (edit->inquiry.call.sends)
		listing_doubt(listing_of(edit), edit->name, 0);
	let_go(edit);
}

/* Its id */

static void looked(struct lookup *lookup)
{
	struct edit *edit = container_of(lookup, struct edit, look);

	edit->failure = lookup->failure;
	if (!edit->failure.error) {
		take_id(edit, lookup->record);
		if (!edit->id[0])
			failure_set(&edit->failure, EINVAL, "the service told no id of this secret");
	}
	if (edit->failure.error)
		end(edit);
	else
		send(edit);
}

static void look(struct edit *edit)
{
	edit->looked = true;
	edit->look = (struct lookup){.deadline = edit->deadline, .again = true, .done = looked};
	strcpy(edit->look.name, edit->name);
	lookup_start(listing_of(edit), &edit->look);
}

/* The change */

static int take_entry(void *context, const struct entry *entry)
{
	struct edit *edit = context;
	struct entry named = *entry;

	named.name = edit->name;
	edit->record = listing_own_put(listing_of(edit), &named, 0);
	return 0;
}

static void answered(struct inquiry *inquiry)
{
	struct edit *edit = container_of(inquiry, struct edit, inquiry);
	const struct failure *failure = &edit->failure;

	edit->failure = inquiry->failure;
	inquiry_finish(inquiry);
	if (failure->error == ENOENT && !failure->store_is_gone && !edit->looked) {
		/* Somebody deleted it, and perhaps made it anew: then it has another id. */
		look(edit);
		return;
	}
	/* Done, but not told how it is now; or perhaps done. */
	if ((!failure->error && !edit->record) || (failure->error && inquiry->call.lost))
		listing_doubt(listing_of(edit), edit->name, 0);
	end(edit);
}

static void send(struct edit *edit)
{
	if (!edit->id[0]) {
		look(edit);
		return;
	}
	edit->inquiry = (struct inquiry){.done = answered};
	edit->inquiry.result.take = take_entry;
	edit->inquiry.result.context = edit;
	edit->inquiry.ask = (struct ask){
		.operation = OPERATION_EDIT_SECRET,
		.store_id = edit->store->id,
		.name = edit->name,
		.id = edit->id,
		.scopes = edit->scopes,
		.comment = edit->comment,
		.expires_at = TIME_UNKNOWN,
	};
	inquiry_start(edit->store->catalog, &edit->inquiry, edit->deadline);
}
