/* Reading the entries of an answer, as far as all services are alike; what else stands in them is each service's own. */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"

int reading_take(struct reading *reading, const json_t *item)
{
	struct result *result = reading->result;
	struct buffer name = {0}, room = {0};
	struct entry entry = {.created_at = TIME_UNKNOWN,
			      .modified_at = TIME_UNKNOWN,
			      .expires_at = TIME_UNKNOWN,
			      .livemode = -1};
	int failed = member_name(item, "name", &name, result);

	result->entries++;
	if (failed == -ENOMEM)
		failed = answer_nonsense(reading->failure, reading->remedy, "there was no memory to read it");
	if (failed || (reading->one_name && strcmp(buffer_text(&name), reading->ask->name) != 0))
		goto out;
	entry.name = buffer_text(&name);
	if (!reading->fields(reading, item, &entry, &room))
		goto out;
	reading->taken++;
	failed = result->take(result->context, &entry);
	if (failed)
		failure_set(reading->failure, -failed, "%s", strerror(-failed));
out:
	buffer_finish(&room);
	buffer_finish(&name);
	return failed < 0 ? failed : 0;
}

int reading_take_only(struct reading *reading, const json_t *item)
{
	int failed;

	reading->one_name = true;
	failed = reading_take(reading, item);
	if (!failed && reading->taken == 0)
		failed = answer_nonsense(reading->failure, reading->remedy,
					 reading->stores ? "not with the store that was asked for"
							 : "not with the secret that was asked for");
	return failed;
}
