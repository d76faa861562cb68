/* The connection of a mount or of --check to the service: token, network, catalog. */
#pragma once

#include "sstorefs/catalog.h"
#include "sstorefs/config.h"

/* The connection to the service, shared by a mount and --check. */
struct client {
	struct config *config;
	struct loop *loop;
	struct net *net;
	struct catalog *catalog;
	struct locked_pool pool;
	struct token token;
	uint8_t signing_key[crypto_sign_PUBLICKEYBYTES];
	struct error_log *error_log; /* gets the end of a rate limit; NULL: none */
};

/* Opens the log, too. `config` must outlive the connection. client_close is right from here on. */
void client_init(struct client *client, struct config *config);

/* Opens it with `client->token`, which token_read has read. Returns 0, or a negative errno with one
 * line in `why` that names cause and remedy. */
int client_open(struct client *client, struct buffer *why);

void client_close(struct client *client);

/* Reads the token of a struct client again: after a refusal, and on SIGHUP. Returns whether it is
 * another one. */
bool client_reread_token(void *client);

/* Appends why the first call failed, and what to do about it, in one line. */
void client_explain(const struct client *client, const struct failure *failure,
		    struct buffer *line);
