/*
 * Repositories that may use a secret: lists those of a stored secret, or finds those of a list of
 * names.
 */
#include <errno.h>
#include <string.h>

#include "change_op.h"

static void list_page(struct selection *selection);
static void find_next(struct selection *selection);

static bool is_listed(struct selection *selection, const char *id)
{
	size_t length = strlen(id);

	for (const char *at = buffer_cstr(&selection->ids); *at; at += *at == ',') {
		if (!strncmp(at, id, length) && (at[length] == ',' || !at[length]))
			return true;
		at += strcspn(at, ",");
	}
	return false;
}

/* One that is listed again is none more: a page that repeats itself is the last. */
static int on_entry(void *context, const struct entry *entry)
{
	struct selection *selection = context;

	if (!entry->id || is_listed(selection, entry->id))
		return 0;
	buffer_printf(&selection->ids, "%s%s", selection->count ? "," : "", entry->id);
	buffer_printf(&selection->names, "%s%s", selection->count ? ":" : "", entry->name);
	selection->count++;
	return 0;
}

static void finish(struct selection *selection)
{
	if (!selection->failure.errnum &&
	    (buffer_error(&selection->ids) || buffer_error(&selection->names)))
		failure_set(&selection->failure, ENOMEM, "out of memory");
	selection->done(selection);
}

static void send(struct selection *selection, enum operation operation,
		 void (*done)(struct api_call *api_call))
{
	struct api_call *api_call = &selection->api_call;

	*api_call = (struct api_call){.done = done, .on_entry = on_entry, .context = selection};
	api_call->args = (struct op_args){.operation = operation,
					  .store_id = selection->store->id,
					  .name = operation == OPERATION_FIND_REPOSITORY
							  ? buffer_cstr(&selection->name_sought)
							  : selection->name,
					  .page = selection->page};
	api_call_start(selection->store->catalog, api_call, selection->deadline);
}

/* Repositories of a stored secret */

/* Keeps the names with what is cached of the secret, so that showing them again needs no call. */
static void remember(struct selection *selection)
{
	struct listing *listing = &selection->store->secrets;
	const struct record *record = listing_peek_any(listing, selection->name);
	struct entry_text text;
	struct entry entry;

	if (!record || record->invalid || buffer_error(&selection->names) ||
	    selection->names.length >= RECORD_TEXT_MAX)
		return;
	record_entry(record, &entry, &text);
	entry.repositories = buffer_cstr(&selection->names);
	listing_apply_answer(listing, selection->name, &entry);
}

static void on_page(struct api_call *api_call)
{
	struct selection *selection = container_of(api_call, struct selection, api_call);
	int64_t total = api_call->result.total;
	bool brought_some = selection->count > selection->count_before;

	selection->failure = api_call->failure;
	api_call_free(api_call);
	if (!selection->failure.errnum && brought_some && selection->count < total) {
		selection->page++;
		list_page(selection);
		return;
	}
	/* A replacement would take the secret away from those that are left out. */
	if (!selection->failure.errnum && (total < 0 || selection->count < total))
		failure_set(&selection->failure, EIO,
			    "the service did not list all repositories that may use the secret");
	if (!selection->failure.errnum)
		remember(selection);
	finish(selection);
}

static void list_page(struct selection *selection)
{
	selection->count_before = selection->count;
	send(selection, OPERATION_LIST_REPOSITORIES, on_page);
}

/* Repositories of a list of names */

static void on_found(struct api_call *api_call)
{
	struct selection *selection = container_of(api_call, struct selection, api_call);

	selection->failure = api_call->failure;
	api_call_free(api_call);
	if (selection->failure.errnum == ENOENT)
		failure_set(&selection->failure, EINVAL,
			    "there is no repository %s, or this token may not see it",
			    buffer_cstr(&selection->name_sought));
	if (selection->failure.errnum || !*selection->rest)
		finish(selection);
	else
		find_next(selection);
}

static void find_next(struct selection *selection)
{
	size_t length = strcspn(selection->rest, ":");

	buffer_clear(&selection->name_sought);
	buffer_append(&selection->name_sought, selection->rest, length);
	selection->rest += length + (selection->rest[length] == ':');
	send(selection, OPERATION_FIND_REPOSITORY, on_found);
}

void selection_start(struct selection *selection)
{
	selection->failure = (struct failure){0};
	selection->rest = selection->repositories;
	selection->page = 1;
	if (selection->repositories)
		find_next(selection);
	else
		list_page(selection);
}

void selection_finish(struct selection *selection)
{
	if (!selection->store)
		return;
	api_call_cancel(&selection->api_call);
	buffer_finish(&selection->ids);
	buffer_finish(&selection->names);
	buffer_finish(&selection->name_sought);
	selection->store = NULL;
}
