/*
 * The way to the service, put together and taken apart. What is asked over it is daemon.c's and check_source.c's.
 */
#include "client.h"

#include <errno.h>
#include <string.h>

#include "sstorefs/log.h"

void connection_init(struct connection *connection, struct config *config)
{
	*connection = (struct connection){.config = config};
	locked_pool_init(&connection->pool, 0);
	connection->token.pool = &connection->pool;
}

int connection_read_token(struct connection *connection, struct buffer *why)
{
	return token_read(&connection->token, connection->config, NULL, why);
}

static int authorize(struct connection *connection)
{
	struct credentials credentials = {.token = (const char *)connection->token.text.data,
					  .email = (const char *)connection->token.email.data};
	struct locked lines = {.pool = &connection->pool};
	int failed = connection->config->provider->authorize(&credentials, &lines);

	if (!failed)
		failed = net_authorize(connection->net, (const char *)lines.data, lines.length);
	locked_finish(&lines);
	return failed;
}

bool connection_reread_token(struct connection *connection)
{
	struct buffer why = {0};
	bool changed = false;

	if (token_read(&connection->token, connection->config, &changed, &why))
		log_line(LOG_ERR, "%s", buffer_text(&why));
	else if (changed && authorize(connection))
		changed = false;
	if (changed)
		log_line(LOG_NOTICE, "%s was read again and has changed", connection->token.origin);
	buffer_finish(&why);
	return changed;
}

static bool refused(void *context)
{
	return connection_reread_token(context);
}

static int make_net(struct connection *connection, struct buffer *why)
{
	const struct config *config = connection->config;
	const struct net_options options = {.endpoint = config->endpoint,
					    .cacert = config->cacert,
					    .timeout = config->timeout,
					    .refused = refused,
					    .context = connection};
	struct failure failure = {0};
	int failed = net_new(&connection->net, connection->loop, &options, &failure);

	if (failed)
		buffer_printf(why, "%s: %s", config->endpoint, failure.words);
	return failed;
}

static int make_catalog(struct connection *connection, struct buffer *why)
{
	const struct config *config = connection->config;
	const char *key = config->signing_key ? config->signing_key : FASTLY_SIGNING_KEY;
	const struct catalog_options options = {
		.provider = config->provider,
		.account = config->account,
		.store = config->store,
		.ttl = config->ttl,
		.negative_ttl = config->negative_ttl,
		.timeout = config->timeout,
		.minimal = config->minimal,
		.users = config->users,
		.scopes = config->scopes,
		.comment = config->comment,
		.expires = config->expires,
		.signing_key = config->signing_key_from_api ? NULL : connection->signing_key,
	};

	if (!config->signing_key_from_api && signing_key_decode(connection->signing_key, key)) {
		buffer_string(why, "signing_key: it is not the base64 of a 32-byte Ed25519 key");
		return -EINVAL;
	}
	return catalog_new(&connection->catalog, connection->loop, connection->net, &options);
}

int connection_open(struct connection *connection, struct buffer *why)
{
	int failed = loop_new(&connection->loop);

	if (!failed)
		failed = make_net(connection, why);
	if (!failed)
		failed = authorize(connection);
	if (!failed)
		failed = make_catalog(connection, why);
	if (failed && why->length == 0)
		buffer_printf(why, "the way to %s can't be prepared: %s", connection->config->endpoint,
			      strerror(-failed));
	return failed;
}

void connection_close(struct connection *connection)
{
	catalog_free(connection->catalog);
	if (connection->net)
		net_free(connection->net);
	if (connection->loop)
		loop_free(connection->loop);
	token_finish(&connection->token);
}

void connection_explain(const struct connection *connection, const struct failure *failure,
			struct buffer *line)
{
	const struct config *config = connection->config;
	const char *endpoint = config->endpoint;

	if (failure->status == 401 || failure->status == 403 || failure->error == EACCES)
		buffer_printf(
			line,
			"%s was refused by %s (%d): %s: check that it is valid, has not expired and may manage secret "
			"stores",
			connection->token.origin, endpoint, failure->status, failure->words);
	else if (failure->error == ENOENT && config->store)
		buffer_printf(line,
			      "%s: %s has no such store: check the name, or mount %s: to see what there is",
			      config->source, endpoint, config->provider->name);
	else if (failure->error == EKEYREJECTED)
		buffer_printf(line, "%s: %s: if its CA is your own, name its file with cacert=", endpoint,
			      failure->words);
	else
		buffer_printf(line, "%s can't be mounted: %s (%s): check that %s is right and can be reached",
			      config->source, failure->words, failure_errno_name(failure->error), endpoint);
}
