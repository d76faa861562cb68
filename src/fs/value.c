/* Values in locked memory, shared by the handles and uploads that refer to them. */
#include "fs_internal.h"

struct value *value_new(struct locked_pool *pool)
{
	struct value *value = calloc(1, sizeof *value);

	if (value)
		*value = (struct value){.references = 1, .bytes = {.pool = pool}};
	return value;
}

struct value *value_reference(struct value *value)
{
	value->references++;
	return value;
}

void value_release(struct value *value)
{
	if (!value || --value->references)
		return;
	locked_free(&value->bytes);
	free(value);
}
