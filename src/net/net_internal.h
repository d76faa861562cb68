#pragma once

#include <curl/curl.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/stat.h>

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

/* Of calls that wait for a connection or for another call. Each is served in its order. */
enum queue { QUEUE_OTHERS, QUEUE_UPLOADS, QUEUE_CHANGES /* one at a time */, QUEUES };

/* For so many seconds calls that were sent are counted: more than any minute touches. */
#define THROTTLE_SECONDS 61

/* For how long the service counts as down, milliseconds. */
#define DOWN_FOR 3000

enum call_phase {
	CALL_QUEUED,  /* for a connection, in net->waiting */
	CALL_ACTIVE,  /* in the multi */
	CALL_BACKOFF, /* before the next attempt */
	CALL_DONE,    /* `done` is due */
};

/* Why an attempt's response was not taken to its end. */
enum overflow { OVERFLOW_NONE, OVERFLOW_BODY, OVERFLOW_HEADERS, OVERFLOW_MEMORY };

struct call_state {
	struct net *net;
	struct http_call *call; /* NULL when its own on_response cancelled it */
	enum call_phase phase;
	uint64_t started_at, deadline; /* CLOCK_BOOTTIME, milliseconds */
	struct timer timer;	       /* end of the attempt, of the pause, or of the budget */
	TAILQ_ENTRY(call_state) every, queued;
	enum queue queue; /* while it is CALL_QUEUED */

	/* The call so far. */
	struct failure last_response; /* what the last one meant; error 0: there was none yet */
	unsigned attempts, retries;
	unsigned connect_failures; /* attempts that found no way to the host */
	bool reauth_tried;	   /* the owner of the credentials was asked for new ones */
	bool fresh_connection;	/* the next attempt does not use a kept connection: one just failed
				   us */
	bool attempt_timed_out; /* an attempt was given up to leave time for another */
	bool is_change;		/* of its request; that may be gone already */
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
	bool throttled;	     /* libcurl was about to send it when the service had refused another */
	char error[CURL_ERROR_SIZE];
};

TAILQ_HEAD(call_list, call_state);

struct net {
	struct loop *loop;
	struct net_options options;
	struct loop_poller poller;
	CURLM *multi;
	CURLSH *share;
	struct curl_waitfd *extra; /* the loop's descriptors in libcurl's terms */
	unsigned extra_size;

	const struct proxy *proxy; /* NULL: none */
	struct endpoint parts;	   /* of the endpoint */
	char *host_port;	   /* `HOST port N`, for people */
	bool cafile_only;
	struct trust {
		struct buffer certificates; /* PEM */
		struct stat status;	    /* of the file when it was read; zeroed: it was not */
	} trust;			    /* with cacert= */

	struct locked_pool pool;
	struct locked credentials;    /* header lines, each with its NUL */
	struct locked proxy_password; /* with its NUL; empty: none */

	struct call_list every, waiting[QUEUES];
	unsigned transfers;	 /* easy handles in the multi */
	unsigned connections[2]; /* of those, on connections of their own; [1]: uploads */
	bool multiplexed;	 /* the server was seen to speak HTTP/2 */
	bool sockets_ready;	 /* libcurl has something to do in this turn */
	bool moved;	    /* bytes moved since libcurl last ran: it may have more to do at once */
	bool closing;	    /* libcurl shuts connections down */
	uint64_t turned_at; /* when libcurl had its last turn, CLOCK_BOOTTIME in milliseconds */

	wall_time_ns service_time; /* as its last Date told it, TIME_UNKNOWN before the first */
	uint64_t service_time_at;  /* CLOCK_BOOTTIME, milliseconds */

	struct net_counts counts;
	struct failure down, unauthorized;
	uint64_t unauthorized_at;
	uint64_t down_until;
	bool down_for_changes_only; /* reads are not metered, and a change was refused */
	struct throttle {
		struct rate_rules rules;
		int64_t largest;		/* budget that was announced */
		uint64_t refused_until[2];	/* CLOCK_BOOTTIME milliseconds; [1]: changes */
		uint64_t announced;		/* the last such moment that the owner was told */
		struct failure refusal;		/* of calls until then */
		unsigned changes;		/* that are on the wire */
		const struct call_state *paced; /* the change that waits for its second */
		struct sent {
			uint64_t second;
			unsigned changes, points;
		} sent[THROTTLE_SECONDS]; /* a ring by CLOCK_BOOTTIME seconds */
	} throttle;
	const struct call_state *in_callback; /* whose on_response runs now */
};

/* transfer.c: one attempt on the wire. */
int transfer_start(struct call_state *state);
/* Takes the transfer out of libcurl's hands, wherever it is; nothing if there is none. */
void transfer_stop(struct call_state *state);
/* The same for one that ran to its end; completes the response. Returns true if it was HTTP/2. */
bool transfer_finish(struct call_state *state);

/* trust.c: reads the authorities that cacert= trusts. Both return 0 or -EINVAL with `why` set. */
int trust_read(struct net *net, struct failure *why);
/* Reads the file again if it is another one; `why->errnum` is EKEYREJECTED. */
int trust_refresh(struct net *net, struct failure *why);

/* retry.c: what follows an attempt. */
/* No attempt could begin; `failure` of the call says why. */
void handle_not_begun(struct call_state *state);
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

/* certificate.c: sets the call's failure where the certificate of the service, or of the proxy, was
 * refused, for the `reason` that libcurl gives. */
void certificate_describe(const struct call_state *state, bool of_proxy, const char *reason);

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
/* `change`: of a call that changes something. */
void health_response(struct net *net, bool change);
void health_success(struct net *net, bool change);
void health_failure(struct net *net, bool change, const struct failure *failure);

/* throttle.c: when the next call may be sent. Times are in milliseconds. */
static inline bool call_is_change(const struct http_call *call)
{
	return call->request.method != HTTP_GET;
}
/* An attempt begins: it costs its share of the budget and of this minute. */
void throttle_consume(struct net *net, bool change);
/* Returns for how long nothing of the kind is sent; 0: it may be sent now. */
uint64_t throttle_delay(const struct net *net, bool change);
/* The call begins to wait for the pace of changes, if that is what it waits for; and ends to. */
void throttle_enter_pace(const struct call_state *state);
void throttle_leave_pace(const struct call_state *state);
/* The service refused a call of the kind, for `wait`. */
void throttle_refuse(struct net *net, bool change, uint64_t wait);
/* Forgets what was said of other credentials. */
void throttle_forget(struct net *net);
/* Returns until when a refusal holds for calls of the kind, CLOCK_BOOTTIME; 0: for none. */
uint64_t throttle_refused_until(const struct net *net, bool change);
/* Tells the owner of the network until when calls wait, once for each such moment. */
void throttle_announce(struct net *net);
/* Returns the failure of calls of the kind that are refused for longer than any can wait; NULL. */
const struct failure *throttle_refusal(const struct net *net, bool change);
/* Sets why a call of the kind is not sent for `wait`. */
void throttle_explain(const struct net *net, bool change, uint64_t wait, struct failure *failure);
/* Draws by how much a call that waits for `wait` comes later than the others. */
uint64_t throttle_spread(uint64_t wait);
