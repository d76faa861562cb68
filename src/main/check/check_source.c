/*
 * --check of a source: makes the calls that a mount and its writers would make, and changes
 * nothing. The steps stand in their order.
 */
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "check_report.h"
#include "main/client.h"
#include "sstorefs/api_call.h"
#include "sstorefs/log.h"
#include "sstorefs/wait.h"

struct check {
	struct client client;
	struct check_report report;
	struct store *store; /* the one that is tried; NULL: there is none */
	struct api_call api_call;
	uint64_t deadline; /* of the whole check */
	uint8_t signing_key[crypto_sign_PUBLICKEYBYTES];
	unsigned next_call;	 /* index of the call under way in `calls` */
	struct store *key_store; /* whose key is fetched, beside that of `store`; else NULL */
	uint64_t key_position;	 /* of the next such store in the listing */
	char name[48], id[33];	 /* of a secret that does not exist */
};

static void check_store(struct check *check);
static void call_next(struct check *check);

static void report_rejection(struct check *check, enum step step, const struct failure *failure,
			     const char *what)
{
	char why[1024];

	snprintf(why, sizeof why, "%s: %s (%s)", what, failure->message,
		 failure_errno_name(failure->errnum));
	report_http_failed(&check->report, step, failure, why);
}

/* --- the service, and whether it takes the token */

/* The first call's failure tells how far it came. */
static void report_probe(struct check *check, const struct failure *failure)
{
	const struct config *config = check->client.config;
	bool refused_token = failure->http_status == 401 || failure->http_status == 403 ||
			     failure->errnum == EACCES;
	bool no_store = failure->errnum == ENOENT && config->store;
	struct buffer line = {0};

	client_explain(&check->client, failure, &line);
	if (refused_token || no_store)
		report_ok(&check->report, STEP_SERVICE, "%s answers", config->endpoint);
	if (no_store)
		report_ok(&check->report, STEP_ACCESS, "the token is accepted");
	report_http_failed(&check->report,
			   refused_token ? STEP_ACCESS
			   : no_store	 ? STEP_STORE
					 : STEP_SERVICE,
			   failure, buffer_cstr(&line));
	buffer_finish(&line);
}

static void on_probed(void *context, const struct failure *failure)
{
	struct check *check = context;

	if (failure->errnum) {
		report_probe(check, failure);
		loop_stop(check->client.loop);
		return;
	}
	report_ok(&check->report, STEP_SERVICE, "%s answers", check->client.config->endpoint);
	report_ok(&check->report, STEP_ACCESS, "the token is accepted");
	check_store(check);
}

/* --- a store to try the rest with */

static struct store *first_store(struct catalog *catalog)
{
	struct snapshot *view = listing_last_complete(catalog_stores(catalog));
	const struct record *record;
	struct failure ignored = {0};
	uint64_t position = 0;

	if (!view)
		view = listing_open_view(catalog_stores(catalog), &ignored);
	record = view ? snapshot_next(view, &position) : NULL;
	if (record)
		record = catalog_record(catalog, record->entry_id);
	snapshot_release(view);
	return record ? catalog_store(catalog, record) : NULL;
}

static void check_store(struct check *check)
{
	struct catalog *catalog = check->client.catalog;
	bool only = check->client.config->store != NULL;

	check->store = only ? catalog_only_store(catalog) : first_store(catalog);
	if (!check->store) {
		report_skip(&check->report, STEP_STORE,
			    "there is no store yet to try the rest with: make one with mkdir");
		loop_stop(check->client.loop);
		return;
	}
	store_reference(check->store);
	report_ok(&check->report, STEP_STORE, only ? "%s is there" : "%s stands for all stores",
		  store_name(check->store));
	call_next(check);
}

/* --- the rights to list and to change, and the key that values are sealed under */

/* The calls with that store, in their order. The secret that is deleted is none: its name and id
 * are 128 random bits. */
static const struct check_call {
	enum step step;
	enum operation operation;
	const char *good, *bad;
} calls[] = {
	{STEP_READ, OPERATION_LIST_SECRETS, "secrets can be listed", "secrets can't be listed"},
	{STEP_KEY, OPERATION_SIGNING_KEY, NULL, "no signing key came"},
	{STEP_KEY, OPERATION_CLIENT_KEY, NULL, "no client key came"},
	{STEP_WRITE, OPERATION_DELETE_SECRET, "secrets may be changed", "secrets can't be changed"},
};

static bool is_needed(const struct check *check, enum operation operation)
{
	const struct config *config = check->client.config;

	if (config->read_only)
		return operation == OPERATION_LIST_SECRETS;
	if (operation == OPERATION_SIGNING_KEY)
		return config->signing_key_from_api;
	if (operation == OPERATION_CLIENT_KEY) /* not without the signing key that it needs */
		return config->provider->seals && !check->report.steps[STEP_KEY].result;
	return true;
}

static void verify_client_key(struct check *check, struct api_call *api_call)
{
	const uint8_t *pinned = catalog_options(check->client.catalog)->signing_key;
	struct client_key key;
	const char *why = "";
	int failed = client_key_verify(
		&key, &api_call->result.client_key, pinned,
		check->client.config->signing_key_from_api ? check->signing_key : NULL,
		api_call->http.sent_at, &why);

	if (failed) {
		failure_set(&api_call->failure, EKEYREJECTED, "%s%s", why,
			    failed == -EKEYREJECTED
				    ? config_signing_key_remedy(check->client.config)
				    : "");
		report_rejection(check, STEP_KEY, &api_call->failure,
				 "the client key is not to be trusted");
	} else {
		report_ok(&check->report, STEP_KEY,
			  "the client key is signed by %s, and good for %" PRIu64 " s",
			  pinned ? "the key that is trusted" : "the key that the API names",
			  (key.expires_at - loop_now(check->client.loop)) / 1000);
	}
}

/* Returns the next store of the mount whose key is fetched; NULL: there is none. */
static struct store *next_key_store(struct check *check)
{
	struct catalog *catalog = check->client.catalog;
	struct snapshot *view = listing_last_complete(catalog_stores(catalog));
	const struct record *record = view ? snapshot_next(view, &check->key_position) : NULL;

	snapshot_release(view);
	if (check->client.config->store)
		return NULL;
	return record ? catalog_store(catalog, record) : NULL;
}

/* Reports the key of a store. The first one decides; the others are mentioned. */
static void report_key_id(struct check *check, struct api_call *api_call)
{
	const struct store *store = check->key_store ? check->key_store : check->store;
	struct check_result *result = &check->report.steps[STEP_KEY];
	struct failure *failure = &api_call->failure;
	struct client_key key = {0};
	const char *why = "";

	if (!failure->errnum &&
	    client_key_accept(&key, &api_call->result.client_key, api_call->http.sent_at, &why))
		failure_set(failure, EKEYREJECTED, "%s", why);
	if (result->result)
		buffer_printf(&result->says, ", %s has %s", store_name(store),
			      failure->errnum ? "none that can be used" : key.id);
	else if (failure->errnum)
		report_rejection(check, STEP_KEY, failure, "no public key can be used");
	else
		report_ok(&check->report, STEP_KEY,
			  "TLS alone vouches for the public keys: %s has %s", store_name(store),
			  key.id);
}

static bool has_another_key(struct check *check)
{
	do
		check->key_store = next_key_store(check);
	while (check->key_store == check->store && check->key_store);
	return check->key_store && strcmp(check->report.steps[STEP_KEY].result, "good") == 0;
}

static void on_response(struct api_call *api_call)
{
	struct check *check = container_of(api_call, struct check, api_call);
	const struct check_call *call = &calls[check->next_call++];

	/* A service tells only clients with the right to delete that there is nothing to delete. */
	if (call->step == STEP_WRITE && api_call->failure.errnum == ENOENT)
		api_call->failure.errnum = 0;
	if (call->operation == OPERATION_CLIENT_KEY && check->client.config->provider->store_keys) {
		report_key_id(check, api_call);
		check->next_call -= has_another_key(check);
	} else if (api_call->failure.errnum)
		report_rejection(check, call->step, &api_call->failure, call->bad);
	else if (call->operation == OPERATION_SIGNING_KEY)
		memcpy(check->signing_key, api_call->result.signing_key, sizeof check->signing_key);
	else if (call->operation == OPERATION_CLIENT_KEY)
		verify_client_key(check, api_call);
	else
		report_ok(&check->report, call->step, "%s", call->good);
	api_call_free(api_call);
	call_next(check);
}

static void call_next(struct check *check)
{
	const unsigned count = sizeof calls / sizeof *calls;

	while (check->next_call < count && !check->key_store &&
	       !is_needed(check, calls[check->next_call].operation))
		check->next_call++;
	if (check->next_call < count) {
		check->api_call = (struct api_call){
			.done = on_response,
			.args = {.operation = calls[check->next_call].operation,
				 .page = 1,
				 .store_id = store_id(check->key_store ? check->key_store
								       : check->store),
				 .name = check->name,
				 .id = check->id}};
		api_call_start(check->client.catalog, &check->api_call, check->deadline);
		return;
	}
	if (check->client.config->read_only)
		report_skip(&check->report, STEP_WRITE, "a mount with ro changes nothing");
	loop_stop(check->client.loop);
}

/* --- all of it */

static int begin(struct check *check)
{
	struct buffer why = {0};
	int failed = token_read(&check->client.token, check->client.config, NULL, &why);
	const char *mode;

	if (failed) {
		report_failed(&check->report, STEP_TOKEN, buffer_cstr(&why));
		goto out;
	}
	mode = check->client.token.mode;
	report_ok(&check->report, STEP_TOKEN, "%s can be read%s%s%s", check->client.token.origin,
		  mode ? ", and is a key of " : "", mode ? mode : "", mode ? " mode" : "");
	failed = client_open(&check->client, &why);
	if (failed)
		report_failed(&check->report, STEP_SERVICE, buffer_cstr(&why));
out:
	buffer_finish(&why);
	return failed;
}

int check_source(struct config *config)
{
	struct check check = {0};
	uint8_t random[16];
	int status;

	client_init(&check.client, config);
	report_begin(&check.report);
	if (!begin(&check)) {
		randombytes_buf(random, sizeof random);
		sodium_bin2hex(check.id, sizeof check.id, random, sizeof random);
		snprintf(check.name, sizeof check.name, "SSTOREFS_CHECK_%s", check.id);
		check.deadline = loop_now(check.client.loop) + config->timeout;
		catalog_probe(check.client.catalog, false, on_probed, &check);
		if (loop_run(check.client.loop))
			report_failed(&check.report, STEP_SERVICE, "waiting for an answer failed");
		check.report.rate_limit_remaining = net_counts(check.client.net)->budget_remaining;
	}
	status = report_finish(&check.report, config);
	store_release(check.store);
	client_close(&check.client);
	return status;
}
