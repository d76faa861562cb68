#pragma once

#include "sstorefs/api_call.h"

/*
 * What a service says beside results and errors: warnings, further errors, announced ends. Each
 * goes to the log the first time it comes, as far as it is remembered.
 */
#define NOTICES_MAX 64 /* the newest replaces the oldest */

struct notices {
	char *said[NOTICES_MAX];
	unsigned next;
};

/* Frees what is remembered. */
void notices_finish(struct notices *notices);

/* Takes the notices of the response to `call`, which is done with them: logs those that are new,
 * and appends all to `failure` unless that is NULL. Leaves out words that quote the value. */
void notices_take(struct notices *notices, struct api_call *call, struct failure *failure);
