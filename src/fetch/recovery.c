/*
 * Asks whether a service that was down is back, and whether a refused token is accepted again:
 * users may not ask while the mount does not count as ready.
 */
#include "catalog.h"

static void on_response(struct api_call *api_call)
{
	api_call_free(api_call);
}

/* One call, the cheapest that shows that the token is accepted. What it brings is not kept. */
static void ask(struct catalog *catalog)
{
	const struct provider *provider = catalog->options.provider;
	struct api_call *api_call = &catalog->recovery;

	if (net_unauthorized(catalog->net))
		net_renew_credentials(catalog->net);
	*api_call = (struct api_call){.done = on_response, .once = true};
	api_call->args.page = 1;
	if (provider->stores_are_local) {
		api_call->args.operation = OPERATION_LIST_SECRETS;
		api_call->args.store_id = catalog->options.store ? catalog->options.store
								 : provider->builtin_stores[0];
	} else {
		api_call->args.operation = OPERATION_LIST_STORES;
	}
	api_call_start(catalog, api_call, loop_now(catalog->loop) + catalog->options.timeout);
}

void recovery_hasten(struct catalog *catalog)
{
	if (net_is_failing(catalog->net) && !api_call_runs(&catalog->recovery))
		ask(catalog);
}

static void on_timer(struct timer *timer)
{
	struct catalog *catalog = container_of(timer, struct catalog, recovery_timer);

	recovery_hasten(catalog); /* whose end starts the timer again */
}

void recovery_init(struct catalog *catalog)
{
	catalog->recovery_timer.expired = on_timer;
}

void recovery_stop(struct catalog *catalog)
{
	timer_stop(catalog->loop, &catalog->recovery_timer);
	api_call_cancel(&catalog->recovery);
}
