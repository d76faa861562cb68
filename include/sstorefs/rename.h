#ifndef SSTOREFS_RENAME_H
#define SSTOREFS_RENAME_H

#include "sstorefs/api_call.h"
#include "sstorefs/name_queue.h"
#include "sstorefs/put.h"

/*
 * Renames or copies a secret.
 */

/*
 * Gives a stored secret another name, or with `copy` one more. EOPNOTSUPP where the service has no
 * way to do it, and its value is not at hand; then nothing was changed. If the old name could not
 * be deleted both stay, and the failure says so.
 */
struct rename_op {
	struct store *store;
	const char *from, *to;
	bool copy;	 /* the old name stays */
	bool no_replace; /* never onto a name that is taken */
	uint64_t deadline;
	void (*done)(struct rename_op *renaming);
	/*
	 * Where the service can't rename: fills in the value, its attributes and the pool, and
	 * returns true, if what was last written under the old name is at hand, and is what the
	 * service has there, `record`. NULL: it never is.
	 */
	bool (*recall)(struct rename_op *renaming, const struct record *record, struct put_op *put);

	struct failure failure;

	struct name_ticket tickets[2];
	struct timer timer;
	struct lookup lookup;
	struct api_call api_call;
	struct put_op put; /* of what was recalled, under the new name */
	struct buffer scopes, comment;
	uint32_t entry_id;
	bool target_existed, indeterminate, recalled;
	struct timer retry_timer; /* before an attempt that follows one that was lost */
	unsigned retries;
	bool got_entry;	  /* the answer described what has the new name */
	uint64_t sent_at; /* when the first attempt at the new name left */
	char id[128], digest[DIGEST_TEXT_SIZE];
};

void rename_start(struct rename_op *renaming);

void rename_cancel(struct rename_op *renaming);

#endif
