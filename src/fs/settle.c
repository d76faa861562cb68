/*
 * Questions about a secret that was just written, at a service that does not describe what it has
 * stored: the new version is asked for before they are answered.
 */
#include "settle.h"
#include "fs_internal.h"

struct settle_request {
	struct deferred deferred; /* `name` is the secret */
	fuse_ino_t number;
	struct question question;
};

static const struct deferred_kind settle_kind = {"getattr", sizeof(struct settle_request)};

/* Whatever the lookup has found: the question is answered by what is known now. */
static void on_lookup(struct lookup *lookup)
{
	struct deferred *deferred = container_of(lookup, struct deferred, lookup);
	struct settle_request *pending = container_of(deferred, struct settle_request, deferred);
	struct fs *fs = deferred->fs;

	fs->is_settled = true;
	pending->question.answer(deferred_take(deferred), pending->number, &pending->question);
	fs->is_settled = false;
	deferred_end(deferred, 0);
}

bool settle(fuse_req_t request, fuse_ino_t number, const struct inode *inode,
	    const struct question *question)
{
	struct fs *fs = fuse_req_userdata(request);
	struct settle_request *pending;

	/* What failed, or may have, shows its state without asking. */
	if (fs->is_settled || inode->kind != INODE_SECRET || !inode->record ||
	    !inode->record->invalid || catalog_down(fs->catalog) ||
	    (inode->file && (inode->file->failure.errnum || inode->file->uploads)))
		return false;
	pending = deferred_new(&settle_kind, request, inode->store, inode->record->name);
	if (!pending)
		return true;
	pending->number = number;
	pending->question = *question;
	deferred_lookup(&pending->deferred, store_secrets(inode->store), false, on_lookup);
	return true;
}
