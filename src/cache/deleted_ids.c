/* What is deleted and may still be listed; that it is not shown again is the inquiry's matter. */
#include "deleted_ids.h"

#include <string.h>

#define MOMENT 10000 /* milliseconds for which a deletion that was accepted may not show */

void departures_add(struct departures *departures, const char *id, uint64_t now)
{
	struct departure *departure = &departures->departure[departures->next++ % DEPARTURES_MAX];

	if (strlen(id) >= sizeof(departure->id))
		return;
	strcpy(departure->id, id);
	departure->until = departures->last_until = now + MOMENT;
}

bool departures_have(const struct departures *departures, const char *id, uint64_t now)
{
	unsigned i;

	if (now >= departures->last_until)
		return false;
	for (i = 0; i < DEPARTURES_MAX; i++)
		if (now < departures->departure[i].until && strcmp(departures->departure[i].id, id) == 0)
			return true;
	return false;
}
