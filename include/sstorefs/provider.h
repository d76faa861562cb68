#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sstorefs/clock.h"
#include "sstorefs/entry.h"
#include "sstorefs/failure.h"
#include "sstorefs/http.h"
#include "sstorefs/rate_rules.h"
#include "sstorefs/seal.h"

/*
 * Providers: our translation to one service each. Operation to HTTP request, HTTP response to
 * result or failure. No I/O, no state, no clock. All names are displayed names (name.h).
 */
enum operation {
	OPERATION_LIST_STORES,
	OPERATION_FIND_STORE, /* by name */
	OPERATION_CREATE_STORE,
	OPERATION_DELETE_STORE,
	OPERATION_LIST_SECRETS,
	OPERATION_FIND_SECRET, /* by name; may bring several entries and several pages: the caller
				  compares names */
	OPERATION_PUT_SECRET,
	OPERATION_UPDATE_SECRET, /* scopes, comment */
	OPERATION_DELETE_SECRET,
	OPERATION_LIST_REPOSITORIES, /* that were selected to use a secret */
	OPERATION_FIND_REPOSITORY,   /* by name */
	OPERATION_DUPLICATE_SECRET,
	OPERATION_QUOTA,
	OPERATION_CLIENT_KEY,
	OPERATION_SIGNING_KEY,
	OPERATION_COUNT,
};

/* Properties of each operation (RFC 9110, 9.2): safe or else idempotent, and whether it is an
 * upload. Creating a client key that is never used changes nothing, so that is safe, too. */
extern const struct operation_info {
	const char *name; /* "list_stores" */
	bool safe, idempotent, upload;
	bool answers_absence; /* that something does not exist is an answer and no failure */
} api_operations[OPERATION_COUNT];

enum put_mode {
	PUT_CREATE,  /* only if there is none of the name */
	PUT_REPLACE, /* only if there is one */
	PUT_UPSERT,
};

/* What is asked of a service. Only what the operation needs is set; the rest is zero. Everything is
 * borrowed. */
struct op_args {
	enum operation operation;
	const char *account;	 /* Cloudflare's account id; Stripe's `Stripe-Account`, or NULL */
	const char *context;	 /* Stripe's `Stripe-Context`, or NULL */
	const char *api_version; /* of Stripe's API; NULL: the one the provider was written for */
	const char *store_id;	 /* the service's id of the store; Stripe: the scope, "account" or
				    "usr_…" */
	const char *name;	 /* of the store or secret, displayed */
	const char *id;	    /* of the secret, where the service addresses by id; of the one that is
			       duplicated */
	const char *cursor; /* where the page begins, as the page before said; NULL: the first */
	unsigned page;	    /* the page's number, from 1, where pages are numbered */

	enum put_mode mode;
	const uint8_t *value; /* the value, or the sealed value when `client_key` is set */
	size_t value_length;
	const uint8_t *client_key;   /* crypto_box_PUBLICKEYBYTES bytes, or NULL */
	const char *client_key_id;   /* where keys have one */
	const char *idempotency_key; /* for this change and its repetitions, where the service has
					such keys */
	const char *scopes;	/* `a:b`, or NULL: leave as it is (the default when it is new) */
	const char *comment;	/* or NULL: leave as it is; "" clears it */
	const char *visibility; /* where secrets have one */
	const char *repository_ids; /* `1,2`: those that may use it; NULL: none are selected */
	wall_time_ns expires_at;    /* TIME_UNKNOWN: send none */
};

/* The result of an operation. The caller zeroes it and sets on_entry and context; parse_response
 * fills in the rest. */
struct op_result {
	/* Called for each entry of the response, in order. Returns 0, or a negative errno that ends
	 * the reading. */
	int (*on_entry)(void *context, const struct entry *entry);
	void *context;

	unsigned entries;	 /* how many the response had, those that were left out included */
	unsigned names_too_long; /* entries whose displayed name is over NAME_LENGTH_MAX */
	unsigned malformed;	 /* entries that are none (no object, no name, not UTF-8) */
	struct buffer
		cursor; /* where the next page begins; empty: this was the last (cursor paging) */
	int64_t total; /* how many there are on all pages, as the service says (numbered paging); -1
			  when it didn't */
	bool deleted_async; /* a deletion was accepted, and listings may show the name a moment
			       longer */
	struct buffer etag; /* of the response; empty: it had none */
	bool not_modified;  /* the service still has what api_call.etag names, and sent nothing */
	bool created;	    /* OPERATION_PUT_SECRET: the service says that it made a new secret */
	bool replaced;	    /* the same: that it replaced one. Neither: it does not say which */
	struct buffer notices; /* what the response says beside its result, each text with its NUL:
				  warnings, further errors, announced ends */
	int64_t quota, usage;  /* OPERATION_QUOTA */
	struct client_key_response client_key;
	uint8_t signing_key[crypto_sign_PUBLICKEYBYTES];
};
/* Frees what the result holds, and zeroes it. */
void op_result_free(struct op_result *result);

/* Whether a retry can help. */
enum retry_hint {
	RETRY_NEVER,	   /* final */
	RETRY_LATER,	   /* not carried out; again later */
	RETRY_AFTER_CHECK, /* unreadable: it may have been carried out */
};

/* The rate limit, from a response's headers (doc/apis.md, Fastly 5, Cloudflare 5, Stripe 4). */
struct rate_limit {
	uint64_t wait_ms;  /* wait at least so long before the next attempt; 0: nothing was said */
	int64_t remaining; /* calls left in the budget; -1: nothing was said */
	uint64_t resets_in_ms;
	bool do_not_retry;  /* the service asks not to be asked again */
	bool wait_is_guess; /* the service did not say for how long: longer when it says so again */
};

struct credentials {
	const char *token;
	const char *email; /* Cloudflare's global key goes with it; else NULL */
};

enum paging { PAGING_NONE, PAGING_CURSOR, PAGING_NUMBERED };

struct body_writer;
struct json_t;
struct named_body;
struct response_parser;

/* One operation of a service: the form of its request, and what reads the response. */
struct service_operation {
	enum http_method method;
	const char *path; /* {account}, {store} and {id} stand for the ids in the arguments, {name}
			     for the name; each is a whole segment */
	/* Reads what is special about the response; called by `parse_response`, which has found
	 * out that it `failed`, a negative errno, or did not, 0. Returns the same. */
	int (*parse)(struct response_parser *parser, int failed);
	/* Adds the query, and returns 0 or a negative errno; NULL: there is none. */
	int (*query)(const struct op_args *args, struct http_request *request);
	/* Writes the body; NULL: there is none. Called twice, to count and to write. */
	void (*write)(struct body_writer *body, const struct named_body *from);
	const char *type; /* Content-Type; NULL: JSON if there is a body, else none */
};

struct provider {
	const char *name;		       /* "fastly": the source's prefix */
	const char *endpoint;		       /* default base URL */
	const char *const *endpoint_variables; /* NULL-terminated, first one set wins */
	/* Where a service has servers of one's own (GitHub Enterprise Server): the variable with
	 * its host's name, the name that means `endpoint`, and the path of the API on others. */
	const char *host_variable, *host, *host_path;
	/* First one set wins. The first `own_server_tokens` of them are for such servers, which get
	 * no other where the host variable names them: the others are for `endpoint`. */
	const char *const *token_variables;
	/* A key that goes with an e-mail address, and wins over a token where both are set; NULL:
	 * none. */
	const char *key_variable, *email_variable;
	unsigned own_server_tokens;
	enum paging store_paging, secret_paging;
	unsigned page_size;	     /* of secrets */
	size_t value_bytes_max;	     /* 0: no limit in bytes */
	size_t value_characters_max; /* 0: no limit in characters */
	bool text_only;		     /* values must be UTF-8 */
	bool seals;		     /* values are sealed under a client key */
	bool store_keys; /* each store has a client key of its own, with an id, without signature
			    and without an end (doc/apis.md, GitHub 6) */
	bool stores_are_local; /* the service does not list them (Stripe's scopes) */
	bool stores_are_fixed; /* none can be made beside the built-in ones */
	const char *const
		*builtin_stores;      /* those that are always there, NULL-terminated; or NULL */
	bool create_store_overwrites; /* OPERATION_CREATE_STORE changes one that exists: sent
					 only for a name that OPERATION_FIND_STORE does not find */
	unsigned secrets_per_store;   /* most secrets that a store can have; 0: not known */
	bool gets_store_by_name;  /* OPERATION_FIND_STORE is one call by exact name; else it is the
				     list, or absent */
	bool gets_secret_by_name; /* OPERATION_FIND_SECRET is one call by exact name; else a search,
				     or with an id one call for that */
	bool writes_by_id;	  /* replace and delete need the secret's id */
	bool has_upsert;	  /* PUT_UPSERT exists */
	bool has_create;	  /* PUT_CREATE exists and is atomic */
	bool has_replace;	  /* PUT_REPLACE exists */
	bool delete_store_refuses_nonempty; /* the service itself refuses to delete a store that has
					       secrets */
	bool has_copy, has_update, has_quota, has_idempotency_keys;
	bool quota_is_per_store; /* one full store says nothing of the others */
	bool tells_modified_at;	 /* entries have the time of their last change, which is not that of
				    their creation alone */
	bool has_expiry; /* secrets can be given an expiry, and a replacement that gives none takes
			    it away */
	/* Which repositories may use a secret: the first is that of new secrets, the last goes with
	 * a list of them. Each put says it. NULL-terminated; NULL: secrets have none. */
	const char *const *visibilities;
	struct rate_rules rate_rules;
	bool lists_unvalidated_names; /* names outside `name_is_valid` may exist at the service:
					 checked on create alone */

	/* Returns true if the service would take `displayed` for a new secret, and for a new store.
	 * The rules say to people what it takes. */
	bool (*name_is_valid)(const char *displayed);
	bool (*store_name_is_valid)(const char *displayed);
	const char *name_rule, *store_name_rule;
	/* Appends the header lines that carry the credentials, each with its NUL, to `lines`
	 * (locked memory). */
	int (*authorize)(const struct credentials *credentials, struct locked *lines);

	/* What a token says of itself, "live" or "test" (static), or NULL. NULL: none does. */
	const char *(*token_mode)(const char *token);
	/* The scopes that secrets are known to have, NULL-terminated; there may be more. NULL: the
	 * service has no scopes. */
	const char *const *known_scopes;

	/* By enum operation; zeroed where the service has no such operation. */
	const struct service_operation *operations;
	/* Writes the request of an operation that the service has. `request` is zeroed but for
	 * body.pool. Returns 0, -ENOMEM, -ENOBUFS, -EINVAL. */
	int (*build_request)(const struct provider *provider, const struct op_args *args,
			     struct http_request *request);

	/*
	 * Reads the response to an operation, whatever its status. Returns 0, or a negative errno
	 * with `failure` filled in (errnum, http_status, request_id, message) and `retry_hint` set.
	 * A 2xx that makes no sense is -EIO and RETRY_AFTER_CHECK.
	 */
	int (*parse_response)(const struct provider *provider, const struct op_args *args,
			      const struct http_response *response, struct op_result *result,
			      struct failure *failure, enum retry_hint *retry_hint);
	/* Parts of parse_response. Finds the failure in a response without `parser->failure`
	 * set, by its status and its words; returns a negative errno. */
	int (*map_error)(struct response_parser *parser);
	/* Reads what the body says beside result and error, by parse_notice; NULL: nothing. */
	void (*read_notices)(struct response_parser *parser);
	/* Checks what every success has beside its content; returns 0 or a negative errno. NULL:
	 * nothing. */
	int (*check_success)(struct response_parser *parser);
	/* Reads the members of an entry beside its name; a time of change that is left unknown
	 * becomes that of its creation. Returns false for an entry to be skipped.
	 * `room` is for texts that must be put together. */
	bool (*parse_fields)(struct response_parser *parser, const struct json_t *item,
			     struct entry *entry, struct buffer *room);

	/* Reads request id of any response, failed or not, into failure->request_id, and the
	 * rate-limit headers. */
	void (*read_rate_limit)(const struct http_response *response, struct rate_limit *limit);
	const char *request_id_header;
};

extern const struct provider provider_fastly;
extern const struct provider provider_cloudflare;
extern const struct provider provider_stripe;
extern const struct provider provider_github;		   /* a repository's stores */
extern const struct provider provider_github_organization; /* an organization's */

/* True if `store` is a displayed name of a store that is always there. */
static inline bool provider_has_builtin_store(const struct provider *provider, const char *store)
{
	const char *const *builtin = provider->builtin_stores;

	while (builtin && *builtin && strcmp(*builtin, store) != 0)
		builtin++;
	return builtin && *builtin;
}

static inline bool provider_has(const struct provider *provider, enum operation operation)
{
	return provider->operations[operation].parse != NULL;
}

/* Returns the visibility that goes with a list of repositories. */
static inline const char *provider_selected(const struct provider *provider)
{
	const char *const *last = provider->visibilities;

	while (last[1])
		last++;
	return *last;
}

/* The provider whose name is the first `length` bytes of `name`; NULL if there is none. */
const struct provider *provider_find(const char *name, size_t length);
