#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sstorefs/clock.h"
#include "sstorefs/failure.h"
#include "sstorefs/http.h"
#include "sstorefs/loop.h"
#include "sstorefs/proxy.h"
#include "sstorefs/rate_rules.h"

/* The network: calls with retries inside a time budget, over kept connections. It knows HTTP and
 * nothing of the services: on_response of each call classifies its responses. */
struct net;

/* Makes libcurl and its TLS library wipe all memory that they free. Once in a process, before any
 * thread and before anything else of libcurl or OpenSSL is used. Returns 0 or a negative errno. */
int net_global_init(void);

struct net_options {
	const char *endpoint;	   /* base URL without a trailing slash; borrowed */
	const char *cacert;	   /* file of trusted CAs, or NULL for the system's; borrowed */
	const struct proxy *proxy; /* the only one that is used; NULL or zeroed: none; borrowed */
	uint64_t timeout; /* the longest budget of a call, milliseconds: caps connection time-outs
			     too */

	/* A call was refused with EACCES: read the credentials again. Returns true if they changed
	 * (and were given to net_set_credentials), so that the call is worth another attempt. */
	bool (*on_unauthorized)(void *context);
	/* The service refuses calls until a moment that `failure` names: called once for each such
	 * moment. NULL: not called. */
	void (*on_rate_limited)(void *context, const struct failure *failure);
	void *context;
	struct rate_rules rate_rules;
};

/* Returns 0, -ENOMEM, or -EINVAL for an endpoint or CA file that libcurl can't take (`why` says
 * so). Joins `loop`. */
int net_new(struct net **net, struct loop *loop, const struct net_options *options,
	    struct failure *why);

/* Ends every transfer without a callback. */
void net_free(struct net *net);

/* Reads the CA file again whatever its times say; logs what came of it. Without this a file that
 * has changed is read for the next request. */
void net_reread_cacert(struct net *net);

/* Sets the header lines that carry the credentials, each `Name: value` and a NUL, `length` bytes in
 * all. Copied into locked memory, wiped when replaced; other ones than before clear
 * net_unauthorized. Returns 0, -ENOBUFS or -ENOMEM (the old ones stay). */
int net_set_credentials(struct net *net, const char *lines, size_t length);

/* The same for the password of the proxy; `length` 0: it has none. */
int net_set_proxy_password(struct net *net, const char *password, size_t length);

/* The class of a response, as on_response returns it. */
enum response_class {
	RESPONSE_OK,	   /* it means success; on_response has taken what it needs */
	RESPONSE_REJECTED, /* it means a failure that no repetition changes; `failure` is set */
	RESPONSE_RETRY,	   /* refused for now and not carried out (429): again, not before `wait`;
			      `failure` is set */
	RESPONSE_INDETERMINATE, /* a 5xx, or a 2xx whose body makes no sense: whether it took effect
				   is unknown; `failure` is set */
};

/* One call of the service as its owner sees it; up to several attempts inside. Embedded in its
 * owner, zeroed, filled in, started; the owner keeps it until `done` or call_cancel. At its end
 * `failure.errnum` is 0 or says why. An attempt that may have been sent and brought no readable
 * response makes `indeterminate` true; from then on any failure's errno is EIO or ETIMEDOUT, unless
 * it is `safe`. A call that is not `idempotent` ends with its first lost attempt. */
struct http_call {
	struct http_request request; /* freed when the call ends */
	uint64_t deadline; /* CLOCK_BOOTTIME, milliseconds: end of the budget, retries and waits
			      included */
	bool idempotent;   /* doing it twice is the same as doing it once */
	bool upload;	   /* counts as an upload: yields the last connections to metadata */
	bool safe; /* changes nothing: what the last attempt was told is true, whatever became of
		      others */
	bool no_retry; /* never a second attempt, whatever happens (probes) */

	/* Called for each complete response. May set `failure`, `wait` (milliseconds from now; 0:
	 * no wish), and change `request.headers`: they are read anew for each attempt. */
	enum response_class (*on_response)(struct http_call *call,
					   const struct http_response *response);
	/* Called, if set, from the loop when an attempt failed and another one will follow;
	 * `failure` says how. */
	void (*on_retry)(struct http_call *call);
	/* Called once, from the loop, never from inside call_start. The call is free again. */
	void (*done)(struct http_call *call);

	struct failure failure;
	uint64_t retry_after;
	uint64_t sent_at;    /* when the last attempt's request began to leave, CLOCK_BOOTTIME; 0 if
				none did */
	unsigned times_sent; /* how many times a request left or may have left */
	bool indeterminate;

	struct call_state *state; /* the network's, as is `ending` */
	struct task completion;
};

/* Starts `call`. Failures to start, too, are told through `done`. */
void call_start(struct net *net, struct http_call *call);

/* Ends a call without `done`: aborts its transfer. Nothing if it does not run. */
void call_cancel(struct http_call *call);
bool call_runs(const struct http_call *call);

/*
 * What is known of the service's health. A service is down for 3 s after a call failed for good
 * with EIO, ETIMEDOUT, EHOSTUNREACH or EAGAIN, and refused after a 401; any success clears both. It
 * is down, too, while it refuses calls for longer than one can wait, and down for changes alone
 * where that does not concern reads. NULL while it is well; else the failure, to refuse an open
 * with.
 */
const struct failure *net_down(const struct net *net);
const struct failure *net_down_for_changes(const struct net *net);
/* Returns until when the rate limit lets no change through, CLOCK_BOOTTIME in milliseconds; 0: it
 * lets them through. */
uint64_t net_changes_refused_until(const struct net *net);
const struct failure *net_unauthorized(const struct net *net);
/* True if the last call did not reach the service, met an error of the server, or was refused for
 * its credentials. */
bool net_is_failing(const struct net *net);
/* Reads the credentials again, as after a refusal. */
void net_renew_credentials(struct net *net);
/* When the last 401 came, CLOCK_BOOTTIME in milliseconds; of use while net_unauthorized. */
uint64_t net_unauthorized_since(const struct net *net);

/* Counters, for status and metrics. */
struct net_counts {
	uint64_t attempts, failures, retries;
	uint64_t rate_limited;	    /* responses that refused a request for the rate limit */
	uint64_t running, uploads;  /* now: transfers, and those of them that are uploads (waiting
				       ones included) */
	uint64_t last_response_at;  /* CLOCK_BOOTTIME of the last readable response; 0: none yet */
	int64_t last_response_wall; /* the same as wall time, nanoseconds since 1970 */
	bool reachable;		    /* whether the last call that ended was served, or refused */
	int64_t budget_remaining;   /* rate-limit budget, as the service last told it; -1: never */
	uint64_t budget_resets_at;  /* CLOCK_BOOTTIME; 0: never told */
};
const struct net_counts *net_counts(const struct net *net);

/* Draws how long to wait, in milliseconds, before another attempt of something that has failed and
 * was waited for so many times. Calls do it by themselves; this is for a new call in place of a
 * lost one. */
uint64_t net_backoff(unsigned pauses);

/* Sets the rate limit that the provider has read from headers; called in on_response, so that the
 * network can slow down in time. */
void net_set_rate_limit(struct net *net, int64_t remaining, uint64_t resets_in_ms);

/* Tells the time by the service's clock, as a response has just told it: a certificate that is not
 * valid now is explained with it. */
void net_set_service_time(struct net *net, wall_time_ns time);
