#ifndef SSTOREFS_MAIN_CLIENT_H
#define SSTOREFS_MAIN_CLIENT_H

#include "sstorefs/catalog.h"
#include "sstorefs/config.h"

/*
 * The way to the service: token, network, catalog. What serving a mount and --check have in common.
 */
struct connection {
	struct config *config;
	struct loop *loop;
	struct net *net;
	struct catalog *catalog;
	struct locked_pool pool;
	struct token token;
	uint8_t signing_key[crypto_sign_PUBLICKEYBYTES];
};

/* `config` must outlive the connection. connection_close is right from here on. */
void connection_init(struct connection *connection, struct config *config);

/* Both return 0, or a negative errno with one line in `why` that names cause and remedy. The token comes first. */
int connection_read_token(struct connection *connection, struct buffer *why);
int connection_open(struct connection *connection, struct buffer *why);

void connection_close(struct connection *connection);

/* Reads the token again: after a 401, and on SIGHUP. Returns whether it is another one. */
bool connection_reread_token(struct connection *connection);

/* Appends why the first call failed, and what to do about it, in one line. */
void connection_explain(const struct connection *connection, const struct failure *failure,
			struct buffer *line);

#endif
