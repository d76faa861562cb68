/*
 * Deleting a secret.
 */
#include <errno.h>
#include <string.h>

#include "fetch/catalog.h"
#include "sstorefs/change.h"

static void send(struct removal *removal);

static struct listing *listing_of(const struct removal *removal)
{
	return &removal->store->secrets;
}

static void let_go(struct removal *removal)
{
	lookup_cancel(&removal->look);
	inquiry_cancel(&removal->inquiry);
	timer_stop(removal->store->catalog->loop, &removal->timer);
	turn_end(&removal->turn);
}

static void end(struct removal *removal)
{
	let_go(removal);
	removal->done(removal);
}

static void timed_out(struct timer *timer)
{
	struct removal *removal = container_of(timer, struct removal, timer);

	if (removal->inquiry.call.sends)
		listing_doubt(listing_of(removal), removal->name, 0);
	failure_set(&removal->failure, ETIMEDOUT, "the service did not answer in time");
	end(removal);
}

/* Where secrets are deleted by id, somebody else may have made it anew: then it has another one. */
static bool look_again(struct removal *removal)
{
	if (!removal->store->catalog->options.provider->puts_by_id || removal->looked)
		return false;
	removal->id[0] = '\0';
	send(removal);
	return true;
}

static void answered(struct inquiry *inquiry)
{
	struct removal *removal = container_of(inquiry, struct removal, inquiry);
	bool lost = inquiry->call.lost;

	removal->failure = inquiry->failure;
	inquiry_finish(inquiry);
	/* What was lost did it: there was one, and now there is none. */
	if (lost && removal->failure.status == 404)
		removal->failure = (struct failure){0};
	if (!lost && removal->failure.error == ENOENT && !removal->failure.store_is_gone &&
	    look_again(removal))
		return;
	boxes_forget(&removal->store->catalog->boxes, removal->store, removal->name);
	if (!removal->failure.error || removal->failure.error == ENOENT)
		listing_own_delete(listing_of(removal), removal->name);
	else if (lost)
		listing_doubt(listing_of(removal), removal->name, 0);
	end(removal);
}

/* Copied, because the record may go while the request is on its way. */
static void take_id(struct removal *removal, const struct record *record)
{
	const char *id = record ? record_id(record) : NULL;

	if (id && strlen(id) < sizeof removal->id)
		strcpy(removal->id, id);
}

static void looked(struct lookup *lookup)
{
	struct removal *removal = container_of(lookup, struct removal, look);

	if (!lookup->failure.error)
		take_id(removal, lookup->record);
	if (!lookup->failure.error && !removal->id[0])
		failure_set(&lookup->failure, EIO, "the service told no id of this secret");
	if (lookup->failure.error) {
		removal->failure = lookup->failure;
		end(removal);
	} else {
		send(removal);
	}
}

static void send(struct removal *removal)
{
	const struct catalog_options *options = &removal->store->catalog->options;

	if (options->provider->puts_by_id && !removal->id[0]) {
		removal->looked = true;
		removal->look = (struct lookup){.deadline = removal->deadline, .again = true, .done = looked};
		strcpy(removal->look.name, removal->name);
		lookup_start(listing_of(removal), &removal->look);
		return;
	}
	removal->inquiry = (struct inquiry){.done = answered};
	removal->inquiry.ask.operation = OPERATION_DELETE_SECRET;
	removal->inquiry.ask.store_id = removal->store->id;
	removal->inquiry.ask.name = removal->name;
	removal->inquiry.ask.id = removal->id[0] ? removal->id : NULL;
	inquiry_start(removal->store->catalog, &removal->inquiry, removal->deadline);
}

static void turn_came(struct turn *turn)
{
	struct removal *removal = container_of(turn, struct removal, turn);
	const struct record *record = NULL;

	listing_known(listing_of(removal), removal->name, &record);
	take_id(removal, record);
	send(removal);
}

void removal_start(struct removal *removal)
{
	removal->failure = (struct failure){0};
	removal->timer = (struct timer){.expired = timed_out};
	removal->turn = (struct turn){.begin = turn_came};
	if (timer_start(removal->store->catalog->loop, &removal->timer, removal->deadline + 50) ||
	    turn_take(listing_of(removal), removal->name, &removal->turn)) {
		failure_set(&removal->failure, ENOMEM, "out of memory");
		end(removal);
	}
}

void removal_cancel(struct removal *removal)
{
	if (removal->inquiry.call.sends)
		listing_doubt(listing_of(removal), removal->name, 0);
	let_go(removal);
}
