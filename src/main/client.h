#pragma once

#include "sstorefs/catalog.h"
#include "sstorefs/config.h"

/* The connection of a mount or of --check to the service. */
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

/* Zeroes `client` and opens the log. `config` must outlive the connection. client_close may be
 * called from here on. */
void client_init(struct client *client, struct config *config);

/* Makes the loop, the network and the catalog, with `client->token`, which token_read has read.
 * Returns 0, or -errno with one line in `why` that names cause and remedy. */
int client_open(struct client *client, struct buffer *why);

/* Frees them, and wipes the token. */
void client_close(struct client *client);

/* Reads the token of a struct client again: after a refusal, and on SIGHUP. Returns true if it has
 * changed. */
bool client_reread_token(void *client);

/* Appends why the first call failed, and what to do about it, in one line. */
void client_explain(const struct client *client, const struct failure *failure,
		    struct buffer *line);
