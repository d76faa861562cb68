#ifndef SSTOREFS_NET_NET_INTERNAL_H
#define SSTOREFS_NET_NET_INTERNAL_H

#include <curl/curl.h>
#include <stddef.h>
#include <sys/queue.h>

#include "sstorefs/locked.h"
#include "sstorefs/net.h"

/*
 * What the files of net/ share: the network, and a call while it runs.
 *
 * A call's way: call.c starts it and lets it wait for a connection, transfer.c carries one attempt,
 * retry.c decides what follows, call.c tells its owner.
 */

/* Connections to a server that takes one request at a time on each, and how many of them uploads may use. */
#define CONNECTIONS_MAX	       64
#define CONNECTIONS_OF_UPLOADS 56

/* For how long the service counts as down, milliseconds. */
#define DOWN_FOR 3000

#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

enum exchange_state {
	EXCHANGE_WAITING,      /* for a connection, in net->waiting */
	EXCHANGE_TRANSFERRING, /* in the multi */
	EXCHANGE_PAUSING,      /* before the next attempt */
	EXCHANGE_ENDING,       /* `done` is due */
};

/* Why an attempt's answer was not taken to its end. */
enum overflow { OVERFLOW_NONE, OVERFLOW_BODY, OVERFLOW_HEADERS, OVERFLOW_MEMORY };

struct exchange {
	struct net *net;
	struct call *call; /* NULL when it was cancelled from inside its own judge */
	enum exchange_state state;
	uint64_t started_at, deadline; /* CLOCK_BOOTTIME, milliseconds */
	struct timer timer;	       /* end of the attempt, of the pause, or of the budget */
	TAILQ_ENTRY(exchange) every, queued;

	/* The call so far. */
	struct failure said; /* what the last answer meant; error 0: there was none yet */
	unsigned attempts, pauses;
	unsigned unreachable; /* attempts that found no way to the host */
	bool asked;	      /* the owner of the credentials was asked for new ones */
	bool fresh;	      /* the next attempt does not use a kept connection: one just failed us */
	bool hung;	      /* an attempt was given up to leave time for another */
	bool judging;	      /* its judge runs: the exchange must outlive a cancel */
	bool unmarked;	      /* its failure says nothing of the service's health */

	/* This attempt. */
	CURL *easy;
	struct curl_slist *lines;
	struct http_answer answer;
	size_t header_bytes;
	enum overflow overflow;
	unsigned sends;
	bool own_connection; /* shares its connection with no other transfer, as far as is known */
	char error[CURL_ERROR_SIZE];
};

TAILQ_HEAD(exchange_list, exchange);

struct net {
	struct loop *loop;
	struct loop_partner partner;
	CURLM *multi;
	CURLSH *share;
	struct curl_waitfd *extra; /* the loop's descriptors in libcurl's terms */
	unsigned extra_size;

	char *endpoint, *cacert;
	char *host;  /* of the endpoint, for people */
	char *place; /* `HOST port N`, the same */
	bool https, loopback, own_ca_only;
	uint64_t timeout;
	bool (*refused)(void *context);
	void *context;

	struct locked_pool pool;
	struct locked credentials; /* header lines, each with its NUL */

	struct exchange_list every, waiting[2]; /* [1]: uploads */
	unsigned transfers;			/* easy handles in the multi */
	unsigned connections[2];		/* of those, on connections of their own; [1]: uploads */
	bool multiplexed;			/* the server was seen to speak HTTP/2 */
	bool sockets_ready;			/* libcurl has something to do in this turn */
	bool moved;	    /* a transfer got on since libcurl's last turn: it may have more to do at once */
	bool closing;	    /* libcurl shuts connections down */
	uint64_t turned_at; /* when libcurl had its last turn, CLOCK_BOOTTIME in milliseconds */

	struct net_counts counts;
	struct failure down, unauthorized, exhausted;
	uint64_t unauthorized_at;
	uint64_t down_until;
	struct budget {
		int64_t largest;
		bool reads_count; /* an answer to a GET told it: reads are metered too */
	} budget;
	const struct exchange *judged; /* whose judge runs now */
};

/* transfer.c: one attempt on the wire. */
int transfer_start(struct exchange *exchange);
/* Takes the transfer out of libcurl's hands, wherever it is; nothing if there is none. */
void transfer_stop(struct exchange *exchange);
/* The same for one that ran to its end; completes the answer. Returns whether it came over HTTP/2. */
bool transfer_finish(struct exchange *exchange);

/* retry.c: what follows an attempt. */
void outcome_of_transfer(struct exchange *exchange, CURLcode code);
void outcome_of_timeout(struct exchange *exchange);

/* curl_error.c: transport failures as users and retry rules see them. */
enum trouble_kind {
	TROUBLE_PASSING,     /* may be over in a moment */
	TROUBLE_UNREACHABLE, /* there is no way to the host: worth few attempts */
	TROUBLE_FINAL,	     /* another attempt meets the same */
};
/* Sets the call's failure to what `code` means; the easy handle must still be there. */
enum trouble_kind trouble_tell(struct exchange *exchange, CURLcode code);
/* The same for a call whose budget, or whose attempt's share of it, has ended. */
void trouble_tell_timeout(struct exchange *exchange);

/* call.c: where calls begin and end. */
/* What is left of the budget, milliseconds; 0 also where the loop is late. */
uint64_t exchange_left(const struct exchange *exchange);
/* Starts the next attempt, or queues for a connection. */
void exchange_proceed(struct exchange *exchange);
/* Lets the next attempt begin `pause` milliseconds from now. */
void exchange_pause(struct exchange *exchange, uint64_t pause);
/* The call is over: `done` is told in a later turn. */
void exchange_end(struct exchange *exchange);
/* Frees an exchange that has no call any more. */
void exchange_free(struct exchange *exchange);
/* Starts whoever waits for a connection and can have one now. */
void exchanges_admit(struct net *net);

/* health.c: what calls teach about the service. */
void health_attempt(struct net *net, bool answered);
void health_answer(struct net *net);
void health_success(struct net *net);
void health_failure(struct net *net, const struct failure *failure);
/* An attempt begins: one call less in the rate-limit budget. */
void health_spend(struct net *net);
/* How long a call has to wait for the rate-limit budget to be filled again, milliseconds; 0: not at all. */
uint64_t health_budget_wait(const struct net *net, const struct call *call);

#endif
