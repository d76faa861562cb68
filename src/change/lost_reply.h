#pragma once

#include "change_op.h"

/*
 * Looks up what the service has under the name of a put, and goes on accordingly: with
 * steps->retry, at once or after a pause, or to the end of the operation. If an attempt is
 * indeterminate, this settles it (doc/semantics.md, rule 13).
 */
void put_lookup(struct put_op *put);
