/* GETXATTR of the repositories that may use a secret, which no listing tells. */
#include "fs_internal.h"
#include "fuse_io.h"
#include "setxattr.h"

struct repositories_request {
	struct deferred deferred; /* `name` is the secret */
	struct selection selection;
	size_t size; /* that the caller has room for; 0: the reply is the size */
};

static void on_selection(struct selection *selection)
{
	struct repositories_request *pending =
		container_of(selection, struct repositories_request, selection);
	struct deferred *deferred = &pending->deferred;

	if (!selection->failure.errnum)
		reply_sized(deferred_take(deferred), buffer_cstr(&selection->names),
			    selection->names.length, pending->size);
	deferred_end(deferred, selection->failure.errnum);
}

static void cancel(struct deferred *deferred)
{
	selection_finish(&container_of(deferred, struct repositories_request, deferred)->selection);
}

static const struct deferred_kind repositories_kind = {
	"getxattr", sizeof(struct repositories_request), cancel, cancel};

void repositories_reply(fuse_req_t request, const struct inode *inode, size_t size)
{
	struct repositories_request *pending =
		deferred_new(&repositories_kind, request, inode->store, inode->record->name);

	if (!pending)
		return;
	pending->size = size;
	pending->selection = (struct selection){.store = inode->store,
						.name = pending->deferred.name,
						.deadline = fs_deadline(pending->deferred.fs),
						.done = on_selection};
	selection_start(&pending->selection);
}
