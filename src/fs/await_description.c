/*
 * Metadata of a secret that was just written, at a service that does not describe what it has
 * stored: the request waits until the new version was looked up.
 */
#include "await_description.h"
#include "fs_internal.h"

struct description_request {
	struct deferred deferred; /* `name` is the secret */
	fuse_ino_t number;
	struct metadata_query query;
};

static const struct deferred_kind description_kind = {"getattr",
						      sizeof(struct description_request)};

/* Answers by what is known now, whatever the lookup has found. */
static void on_lookup(struct lookup *lookup)
{
	struct deferred *deferred = container_of(lookup, struct deferred, lookup);
	struct description_request *pending =
		container_of(deferred, struct description_request, deferred);
	struct fs *fs = deferred->fs;

	fs->has_awaited_description = true;
	pending->query.answer(deferred_take(deferred), pending->number, &pending->query);
	fs->has_awaited_description = false;
	deferred_end(deferred, 0);
}

bool await_description(fuse_req_t request, fuse_ino_t number, const struct inode *inode,
		       const struct metadata_query *query)
{
	struct fs *fs = fuse_req_userdata(request);
	struct description_request *pending;

	/* A file whose upload failed, or may have, shows that state without a call. */
	if (fs->has_awaited_description || inode->kind != INODE_SECRET || !inode->record ||
	    !inode->record->invalid || catalog_down(fs->catalog) ||
	    (inode->file && (inode->file->failure.errnum || inode->file->uploads)))
		return false;
	pending = deferred_new(&description_kind, request, inode->store, inode->record->name);
	if (!pending)
		return true;
	pending->number = number;
	pending->query = *query;
	deferred_lookup(&pending->deferred, store_secrets(inode->store), false, on_lookup);
	return true;
}
