/* The state of the service as the network knows it, for rooms that call only the catalog. */
#include "catalog.h"

const struct failure *catalog_down(const struct catalog *catalog)
{
	return net_down(catalog->net);
}

const struct failure *catalog_down_for_changes(const struct catalog *catalog)
{
	return net_down_for_changes(catalog->net);
}

uint64_t catalog_changes_refused_until(const struct catalog *catalog)
{
	return net_changes_refused_until(catalog->net);
}

const struct failure *catalog_unauthorized(const struct catalog *catalog)
{
	return net_unauthorized(catalog->net);
}

uint64_t catalog_unauthorized_since(const struct catalog *catalog)
{
	return net_unauthorized_since(catalog->net);
}

const struct net_counts *catalog_net_counts(const struct catalog *catalog)
{
	return net_counts(catalog->net);
}

const char *catalog_operation_name(enum operation operation)
{
	return api_operations[operation].name;
}
