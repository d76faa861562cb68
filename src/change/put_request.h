#pragma once

#include "change_op.h"

/* The parts of a put request. */

/* Returns the verb of the service for `put->mode`, by what is known of the name. */
enum put_mode put_verb(const struct put_op *put);

/* Sets what is sent as visibility and repositories: what was set for this value, else what the
 * secret has, else the options for a new one. Returns true if the ids of repositories must be
 * looked up. */
bool put_set_audience(struct put_op *put, const struct entry *entry);

/* Adds the attributes, where the secret is `record` now; NULL: it is new. */
void put_set_attributes(const struct put_op *put, const struct record *record,
			struct op_args *args);

/* Gives the sealed value to the request. Returns 0, -ENOMEM, or -EOPNOTSUPP if it is not kept any
 * more. */
int put_seal(struct put_op *put, struct op_args *args);

/* Keeps the sealed value for a rename, if it was stored. */
void put_keep_sealed(struct put_op *put);
