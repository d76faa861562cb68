#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sstorefs/loop.h"
#include "sstorefs/net.h"

/* The scripted server with its TLS fronts, one for a whole test program. */
struct server {
	pid_t pid;
	int lifeline; /* its standard input: it ends when this is closed */
	char directory[64], cacert[96];
	unsigned port, tls_port, tls_one_port; /* the last speaks HTTP/1.1 only */
};

extern struct server server;

int server_start(void **state);
int server_end(void **state);

/* One network in one loop, and what its credentials' owner was asked. */
struct fixture {
	struct loop *loop;
	struct net *net;
	unsigned pending; /* probes whose `done` is still to come */
	unsigned asked;
	bool has_new_token;
	char endpoint[64];
};

enum front { FRONT_PLAIN, FRONT_TLS, FRONT_TLS_ONE };

void fixture_make(struct fixture *fixture, enum front front);
void fixture_make_for(struct fixture *fixture, const char *endpoint, const char *cacert);
void fixture_free(struct fixture *fixture);

/* A call, and its outcome. Its handler reads the scripted server's responses. */
struct probe {
	struct http_call call;
	struct fixture *fixture;
	unsigned handled, completed;
	bool indeterminate_when_handled;
	int status;
	char body[2048];
	size_t body_length;
	void (*in_handler)(struct probe *probe);
	void (*in_done)(struct probe *probe);
	struct probe *other;
};

/* Fills a probe in: `target` after the endpoint, repeatable unless it is a POST, `budget` in
 * milliseconds. */
void probe_make(struct probe *probe, struct fixture *fixture, enum http_method method,
		uint64_t budget, const char *target, ...) __attribute__((format(printf, 5, 6)));
void probe_body(struct probe *probe, const char *body);
void probe_start(struct probe *probe);
/* Turns the loop until no probe is pending. */
void fixture_settle(struct fixture *fixture);
/* Starts one and settles. */
void probe_run(struct probe *probe);

/* What the server saw of `name`: "requests", "connections" or "held". */
unsigned server_saw(struct fixture *fixture, const char *name, const char *what);
/* Turns the loop until the server holds `count` requests. */
void server_holds(struct fixture *fixture, unsigned count);
