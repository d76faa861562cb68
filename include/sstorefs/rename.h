#pragma once

#include "sstorefs/put.h"

/*
 * Renames the stored secret `change.name`, or with `copy` gives it a second name. Fails with
 * EOPNOTSUPP where the service cannot rename and the value is not at hand; then nothing was
 * changed. If the old name cannot be deleted both remain, and the failure says so.
 */
struct rename_op {
	struct change_op change;
	const char *to;
	bool copy;	 /* keep the old name */
	bool no_replace; /* fail with EEXIST if the new name is taken */
	void (*done)(struct rename_op *renaming);
	/*
	 * Where the service cannot rename: fills in the value, its attributes and the pool, and
	 * returns true if the last value written under the old name is at hand and is the one that
	 * the service has there, `record`. NULL: it never is.
	 */
	bool (*recall)(struct rename_op *renaming, const struct record *record, struct put_op *put);

	/* The rest is internal. */
	struct name_ticket second_ticket;
	struct put_op put; /* of the recalled value, under the new name */
	bool recalled;	   /* `put` is under way */
	bool target_existed;
	bool got_entry; /* the response described the secret with the new name */
	struct buffer scopes, comment;
	uint32_t old_entry_id;
	uint64_t first_sent_at; /* when the first attempt at the new name was sent */
	char digest[DIGEST_TEXT_SIZE];
};

void rename_start(struct rename_op *renaming);

/* Ends it without `done`. If a request was sent, both names are invalidated. */
void rename_cancel(struct rename_op *renaming);
