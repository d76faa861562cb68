#pragma once

#include <curl/curl.h>
#include <stddef.h>
#include <sys/queue.h>

#include "sstorefs/endpoint.h"
#include "sstorefs/locked.h"
#include "sstorefs/net.h"
#include "sstorefs/wait.h"

/* The network, and a call while it runs; for the files of net/. A call's way: call.c starts it and
 * lets it wait for a connection, transfer.c carries one attempt, retry.c decides what follows,
 * call.c tells its owner. */

/* Connections to a server that takes one request at a time on each, and how many of them uploads
 * may use. */
#define CONNECTIONS_MAX	       64
#define CONNECTIONS_OF_UPLOADS 56

/* For how long the service counts as down, milliseconds. */
#define DOWN_FOR 3000

enum call_phase {
	CALL_QUEUED,  /* for a connection, in net->waiting */
	CALL_ACTIVE,  /* in the multi */
	CALL_BACKOFF, /* before the next attempt */
	CALL_DONE,    /* `done` is due */
};

/* Why an attempt's answer was not taken to its end. */
enum overflow { OVERFLOW_NONE, OVERFLOW_BODY, OVERFLOW_HEADERS, OVERFLOW_MEMORY };

struct call_state {
	struct net *net;
	struct http_call *call; /* NULL when its own on_response cancelled it */
	enum call_phase phase;
	uint64_t started_at, deadline; /* CLOCK_BOOTTIME, milliseconds */
	struct timer timer;	       /* end of the attempt, of the pause, or of the budget */
	TAILQ_ENTRY(call_state) every, queued;

	/* The call so far. */
	struct failure last_response; /* what the last answer meant; error 0: there was none yet */
	unsigned attempts, retries;
	unsigned connect_failures; /* attempts that found no way to the host */
	bool reauth_tried;	   /* the owner of the credentials was asked for new ones */
	bool fresh_connection;	/* the next attempt does not use a kept connection: one just failed
				   us */
	bool attempt_timed_out; /* an attempt was given up to leave time for another */
	bool in_callback; /* on_response or on_unauthorized runs: the state must outlive a cancel */
	bool ignore_for_health; /* its failure says nothing of the service's health */

	/* This attempt. */
	CURL *easy;
	struct curl_slist *lines;
	struct http_response response;
	size_t header_bytes;
	enum overflow overflow;
	unsigned times_sent;
	bool own_connection; /* shares its connection with no other transfer, as far as is known */
	char error[CURL_ERROR_SIZE];
};

TAILQ_HEAD(call_list, call_state);

struct net {
	struct loop *loop;
	struct loop_poller poller;
	CURLM *multi;
	CURLSH *share;
	struct curl_waitfd *extra; /* the loop's descriptors in libcurl's terms */
	unsigned extra_size;

	char *endpoint, *cacert;
	struct endpoint parts; /* of the endpoint */
	char *host_port;       /* `HOST port N`, for people */
	bool cafile_only;
	uint64_t timeout;
	bool (*on_unauthorized)(void *context);
	void *context;

	struct locked_pool pool;
	struct locked credentials; /* header lines, each with its NUL */

	struct call_list every, waiting[2]; /* [1]: uploads */
	unsigned transfers;		    /* easy handles in the multi */
	unsigned connections[2]; /* of those, on connections of their own; [1]: uploads */
	bool multiplexed;	 /* the server was seen to speak HTTP/2 */
	bool sockets_ready;	 /* libcurl has something to do in this turn */
	bool moved;   /* a transfer got on since libcurl's last turn: it may have more to do at once
		       */
	bool closing; /* libcurl shuts connections down */
	uint64_t turned_at; /* when libcurl had its last turn, CLOCK_BOOTTIME in milliseconds */

	struct net_counts counts;
	struct failure down, unauthorized, exhausted;
	uint64_t unauthorized_at;
	uint64_t down_until;
	struct budget {
		int64_t largest;
		bool reads_count; /* an answer to a GET told it: reads are metered too */
	} budget;
	const struct call_state *in_callback; /* whose on_response runs now */
};

/* transfer.c: one attempt on the wire. */
int transfer_start(struct call_state *state);
/* Takes the transfer out of libcurl's hands, wherever it is; nothing if there is none. */
void transfer_stop(struct call_state *state);
/* The same for one that ran to its end; completes the answer. Returns whether it came over HTTP/2.
 */
bool transfer_finish(struct call_state *state);

/* retry.c: what follows an attempt. */
void handle_transfer_end(struct call_state *state, CURLcode code);
void handle_timeout(struct call_state *state);

/* curl_error.c: transport failures as users and retry rules see them. */
enum curl_error_kind {
	CURL_ERROR_TRANSIENT,	/* may be over in a moment */
	CURL_ERROR_UNREACHABLE, /* there is no way to the host: worth few attempts */
	CURL_ERROR_PERMANENT,	/* another attempt meets the same */
};
/* Sets the call's failure to what `code` means; the easy handle must still be there. */
enum curl_error_kind curl_error_describe(struct call_state *state, CURLcode code);
/* The same for a call whose budget, or whose attempt's share of it, has ended. */
void curl_error_describe_timeout(struct call_state *state);

/* call.c: where calls begin and end. */
/* Returns how much of the budget is left, in milliseconds; 0 also where the loop is late. */
uint64_t call_time_left(const struct call_state *state);
/* Starts the next attempt, or queues for a connection. */
void call_run(struct call_state *state);
/* Lets the next attempt begin `pause` milliseconds from now. */
void call_backoff(struct call_state *state, uint64_t pause);
/* The call is over: `done` is told in a later turn. */
void call_finish(struct call_state *state);
/* Frees a state without a call. */
void call_state_free(struct call_state *state);
/* Starts queued calls while connection slots are free; metadata calls first. */
void calls_admit(struct net *net);

/* health.c: what calls teach about the service. */
void health_attempt(struct net *net, bool responded);
void health_response(struct net *net);
void health_success(struct net *net);
void health_failure(struct net *net, const struct failure *failure);
/* An attempt begins: one call less in the rate-limit budget. */
void rate_limit_consume(struct net *net);
/* How long a call has to wait for the rate-limit budget to be filled again, milliseconds; 0: not at
 * all. */
uint64_t rate_limit_delay(const struct net *net, const struct http_call *call);
