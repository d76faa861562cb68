/* Deletes a secret. */
#include <errno.h>
#include <string.h>

#include "fetch/catalog.h"
#include "sstorefs/change.h"

static void send(struct delete_op *deletion);

static struct listing *listing_of(const struct delete_op *deletion)
{
	return &deletion->store->secrets;
}

static void op_release(struct delete_op *deletion)
{
	lookup_cancel(&deletion->lookup);
	api_call_cancel(&deletion->api_call);
	timer_stop(deletion->store->catalog->loop, &deletion->timer);
	name_queue_leave(&deletion->ticket);
}

static void op_finish(struct delete_op *deletion)
{
	op_release(deletion);
	deletion->done(deletion);
}

static void timed_out(struct timer *timer)
{
	struct delete_op *deletion = container_of(timer, struct delete_op, timer);

	if (deletion->api_call.http.times_sent)
		listing_invalidate(listing_of(deletion), deletion->name, 0);
	failure_set(&deletion->failure, ETIMEDOUT, "the service did not answer in time");
	op_finish(deletion);
}

/* Where secrets are deleted by id, somebody else may have made it anew: then it has another one. */
static bool start_lookup(struct delete_op *deletion)
{
	if (!deletion->store->catalog->options.provider->writes_by_id || deletion->has_looked_up)
		return false;
	deletion->id[0] = '\0';
	send(deletion);
	return true;
}

static void on_response(struct api_call *api_call)
{
	struct delete_op *deletion = container_of(api_call, struct delete_op, api_call);
	bool lost = api_call->http.indeterminate;

	deletion->failure = api_call->failure;
	api_call_free(api_call);
	/* What was lost did it: there was one, and now there is none. */
	if (lost && deletion->failure.http_status == 404)
		deletion->failure = (struct failure){0};
	if (!lost && deletion->failure.errnum == ENOENT && !deletion->failure.store_is_deleted &&
	    start_lookup(deletion))
		return;
	sealed_cache_drop(&deletion->store->catalog->sealed_cache, deletion->store, deletion->name);
	if (!deletion->failure.errnum || deletion->failure.errnum == ENOENT)
		listing_local_delete(listing_of(deletion), deletion->name);
	else if (lost)
		listing_invalidate(listing_of(deletion), deletion->name, 0);
	op_finish(deletion);
}

/* Copied, because the record may go while the request is on its way. */
static void on_id_entry(struct delete_op *deletion, const struct record *record)
{
	const char *id = record ? record_id(record) : NULL;

	if (id && strlen(id) < sizeof deletion->id)
		strcpy(deletion->id, id);
}

static void on_lookup(struct lookup *lookup)
{
	struct delete_op *deletion = container_of(lookup, struct delete_op, lookup);

	if (!lookup->failure.errnum)
		on_id_entry(deletion, lookup->record);
	if (!lookup->failure.errnum && !deletion->id[0])
		failure_set(&lookup->failure, EIO, "the service told no id of this secret");
	if (lookup->failure.errnum) {
		deletion->failure = lookup->failure;
		op_finish(deletion);
	} else {
		send(deletion);
	}
}

static void send(struct delete_op *deletion)
{
	const struct catalog_options *options = &deletion->store->catalog->options;

	if (options->provider->writes_by_id && !deletion->id[0]) {
		deletion->has_looked_up = true;
		deletion->lookup = (struct lookup){
			.deadline = deletion->deadline, .bypass_cache = true, .done = on_lookup};
		strcpy(deletion->lookup.name, deletion->name);
		lookup_start(listing_of(deletion), &deletion->lookup);
		return;
	}
	deletion->api_call = (struct api_call){.done = on_response};
	deletion->api_call.args.operation = OPERATION_DELETE_SECRET;
	deletion->api_call.args.store_id = deletion->store->id;
	deletion->api_call.args.name = deletion->name;
	deletion->api_call.args.id = deletion->id[0] ? deletion->id : NULL;
	api_call_start(deletion->store->catalog, &deletion->api_call, deletion->deadline);
}

static void on_queue_head(struct name_ticket *ticket)
{
	struct delete_op *deletion = container_of(ticket, struct delete_op, ticket);
	const struct record *record = NULL;

	listing_query(listing_of(deletion), deletion->name, &record);
	on_id_entry(deletion, record);
	send(deletion);
}

void delete_start(struct delete_op *deletion)
{
	deletion->failure = (struct failure){0};
	deletion->timer = (struct timer){.expired = timed_out};
	deletion->ticket = (struct name_ticket){.begin = on_queue_head};
	if (timer_start(deletion->store->catalog->loop, &deletion->timer,
			deletion->deadline + 50) ||
	    name_queue_join(listing_of(deletion), deletion->name, &deletion->ticket)) {
		failure_set(&deletion->failure, ENOMEM, "out of memory");
		op_finish(deletion);
	}
}

void delete_cancel(struct delete_op *deletion)
{
	if (deletion->api_call.http.times_sent)
		listing_invalidate(listing_of(deletion), deletion->name, 0);
	op_release(deletion);
}
