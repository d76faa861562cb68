/* The connection to the service, which a mount and --check use: token, network, catalog. */
#include "client.h"

#include <errno.h>
#include <string.h>

#include "sstorefs/error_log.h"
#include "sstorefs/log.h"

void client_init(struct client *client, struct config *config)
{
	log_as_json(config->log_json);
	log_name(config->source, config_mountpoint_name(config));
	log_open(LOG_TO_STDERR, config->debug);
	*client = (struct client){.config = config};
	locked_pool_init(&client->pool, 0);
	client->token.pool = &client->pool;
}

static int authorize(struct client *client)
{
	struct credentials credentials = {
		.token = (const char *)client->token.held[TOKEN_TEXT].data,
		.email = (const char *)client->token.held[TOKEN_EMAIL].data};
	const struct locked *password = &client->token.held[TOKEN_PROXY_PASSWORD];
	struct locked lines = {.pool = &client->pool};
	int failed = client->config->provider->authorize(&credentials, &lines);

	if (!failed)
		failed = net_set_credentials(client->net, (const char *)lines.data, lines.length);
	if (!failed)
		failed = net_set_proxy_password(client->net, (const char *)password->data,
						password->length);
	locked_free(&lines);
	return failed;
}

bool client_reread_token(void *context)
{
	struct client *client = context;
	struct buffer why = {0};
	bool changed = false;

	if (token_read(&client->token, client->config, &changed, &why))
		log_line(LOG_ERR, "%s", buffer_cstr(&why));
	else if (changed && authorize(client))
		changed = false;
	if (changed)
		log_line(LOG_NOTICE, "%s%s was read again and has changed", client->token.origin,
			 client->config->proxy_password_file ? " or the proxy's password" : "");
	buffer_finish(&why);
	return changed;
}

/* Records a rate limit: writers that wait learn its end from `errors` and the log alone. */
static void rate_limited(void *context, const struct failure *failure)
{
	const struct client *client = context;

	if (client->error_log)
		error_log_report(client->error_log, "limit", NULL, client->config->source, failure);
}

static int make_net(struct client *client, struct buffer *why)
{
	static const struct rate_rules unpaced;
	const struct config *config = client->config;
	const struct net_options options = {
		.endpoint = config->endpoint,
		.cacert = config->cacert,
		.proxy = &config->proxy,
		.timeout = config->timeout,
		.on_unauthorized = client_reread_token,
		.on_rate_limited = rate_limited,
		.rate_rules = config->unpaced ? unpaced : config->provider->rate_rules,
		.context = client};
	struct failure failure = {0};
	int failed = net_new(&client->net, client->loop, &options, &failure);

	if (failed)
		buffer_printf(why, "%s: %s", config->endpoint, failure.message);
	return failed;
}

static int make_catalog(struct client *client, struct buffer *why)
{
	const struct config *config = client->config;
	const char *key = config->signing_key ? config->signing_key : FASTLY_SIGNING_KEY;
	const struct catalog_options options = {
		.provider = config->provider,
		.account = config->account,
		.context = config->stripe_context,
		.api_version = config->stripe_version,
		.store = config->store,
		.ttl = config->ttl,
		.negative_ttl = config->negative_ttl,
		.timeout = config->timeout,
		.minimal = config->minimal,
		.users = config->users,
		.scopes = config->scopes,
		.comment = config->comment,
		.visibility = config->visibility,
		.repositories = config->repositories,
		.expires = config->expires,
		.signing_key = config->signing_key_from_api ? NULL : client->signing_key,
	};

	if (!config->signing_key_from_api && signing_key_decode(client->signing_key, key)) {
		buffer_puts(why, "signing_key: it is not the base64 of a 32-byte Ed25519 key");
		return -EINVAL;
	}
	return catalog_new(&client->catalog, client->loop, client->net, &options);
}

int client_open(struct client *client, struct buffer *why)
{
	int failed = loop_new(&client->loop);

	if (!failed)
		failed = make_net(client, why);
	if (!failed)
		failed = authorize(client);
	if (!failed)
		failed = make_catalog(client, why);
	if (failed && why->length == 0)
		buffer_printf(why, "the connection to %s can't be prepared: %s",
			      client->config->endpoint, strerror(-failed));
	return failed;
}

void client_close(struct client *client)
{
	catalog_free(client->catalog);
	if (client->net)
		net_free(client->net);
	if (client->loop)
		loop_free(client->loop);
	token_finish(&client->token);
}

void client_explain(const struct client *client, const struct failure *failure, struct buffer *line)
{
	const struct config *config = client->config;
	const char *endpoint = config->endpoint, *proxy = config->proxy.url;
	const char *remedy = config_source_remedy(config);

	if (failure->http_status == 401 || failure->http_status == 403 || failure->errnum == EACCES)
		buffer_printf(
			line,
			"%s was refused by %s (%d): %s: check that it is valid, has not expired and may manage secret "
			"stores",
			client->token.origin, endpoint, failure->http_status, failure->message);
	else if (remedy && failure->http_status >= 400 && failure->http_status < 500)
		buffer_printf(line, "%s can't be mounted: %s: %s", config->source, failure->message,
			      remedy);
	else if (failure->errnum == ENOENT && config->store)
		buffer_printf(
			line,
			"%s: %s has no such store: check the name, or mount %s: to see what there is",
			config->source, endpoint, config->provider->name);
	else if (failure->bad_signature)
		buffer_printf(line, "%s can't be mounted: %s%s", config->source, failure->message,
			      config_signing_key_remedy(config));
	else if (failure->errnum == EKEYREJECTED)
		buffer_printf(line, "%s: %s", endpoint, failure->message);
	else
		buffer_printf(
			line,
			"%s can't be mounted: %s (%s): check that %s is right and can be reached",
			config->source, failure->message, failure_errno_name(failure->errnum),
			proxy && strstr(failure->message, proxy) ? proxy : endpoint);
}
