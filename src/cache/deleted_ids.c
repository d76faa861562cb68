/*
 * Ids of recently deleted secrets. Asynchronous deletes (HTTP 202) may still appear in listings for
 * a while; api_call.c filters them out.
 */
#include "deleted_ids.h"

#include <string.h>

/* Milliseconds for which listings may still show a secret whose deletion was accepted. */
#define MOMENT 10000

void deleted_ids_add(struct deleted_ids *deleted, const char *id, uint64_t now)
{
	struct deleted_id *slot = &deleted->ids[deleted->next++ % DELETED_IDS_MAX];

	if (strlen(id) >= sizeof(slot->id))
		return;
	strcpy(slot->id, id);
	slot->until = deleted->last_until = now + MOMENT;
}

bool deleted_ids_contains(const struct deleted_ids *deleted, const char *id, uint64_t now)
{
	if (now >= deleted->last_until)
		return false;
	for (unsigned i = 0; i < DELETED_IDS_MAX; i++)
		if (now < deleted->ids[i].until && strcmp(deleted->ids[i].id, id) == 0)
			return true;
	return false;
}
