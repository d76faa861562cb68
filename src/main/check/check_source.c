/*
 * --check of a source: asks the service what a mount and its writers would ask, and changes
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
	bool has_signing_key;
	char name[48], id[33]; /* of a secret that does not exist */
};

static void check_store(struct check *check);
static void check_read(struct check *check);
static void check_key(struct check *check);
static void check_write(struct check *check);

static const struct config *config_of(const struct check *check)
{
	return check->client.config;
}

static void end(struct check *check)
{
	loop_stop(check->client.loop);
}

/* --- one question
 * ----------------------------------------------------------------------------------------------------------------
 */

static int ignore_entry(void *context, const struct entry *entry)
{
	(void)context, (void)entry;
	return 0;
}

static void start_call(struct check *check, enum operation operation,
		       void (*done)(struct api_call *api_call))
{
	check->api_call = (struct api_call){.done = done, .result.on_entry = ignore_entry};
	check->api_call.args.operation = operation;
	check->api_call.args.page = 1;
	check->api_call.args.store_id = check->store ? store_id(check->store) : NULL;
	check->api_call.args.name = check->name;
	check->api_call.args.id = check->id;
	api_call_start(check->client.catalog, &check->api_call, check->deadline);
}

static void refused(struct check *check, enum step step, const struct failure *failure,
		    const char *what)
{
	char why[1024];

	snprintf(why, sizeof why, "%s: %s (%s)", what, failure->message,
		 failure_errno_name(failure->errnum));
	report_http_failed(&check->report, step, failure, why);
}

/* --- the service, and whether it takes the token
 * --------------------------------------------------------------------------------- */

/* The first call's failure tells how far it came. */
static void report_probe(struct check *check, const struct failure *failure)
{
	const struct config *config = config_of(check);
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
		end(check);
		return;
	}
	report_ok(&check->report, STEP_SERVICE, "%s answers", config_of(check)->endpoint);
	report_ok(&check->report, STEP_ACCESS, "the token is accepted");
	check_store(check);
}

/* --- a store to try the rest with
 * ------------------------------------------------------------------------------------------------
 */

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
	if (view)
		snapshot_release(view);
	return record ? catalog_store(catalog, record) : NULL;
}

static void check_store(struct check *check)
{
	struct catalog *catalog = check->client.catalog;
	bool only = config_of(check)->store != NULL;

	check->store = only ? catalog_only_store(catalog) : first_store(catalog);
	if (!check->store) {
		report_skip(&check->report, STEP_STORE,
			    "there is no store yet to try the rest with: make one with mkdir");
		end(check);
		return;
	}
	store_reference(check->store);
	report_ok(&check->report, STEP_STORE, only ? "%s is there" : "%s stands for all stores",
		  store_name(check->store));
	check_read(check);
}

/* --- the right to list
 * -----------------------------------------------------------------------------------------------------------
 */

static void listed(struct api_call *api_call)
{
	struct check *check = container_of(api_call, struct check, api_call);

	if (api_call->failure.errnum)
		refused(check, STEP_READ, &api_call->failure, "secrets can't be listed");
	else
		report_ok(&check->report, STEP_READ, "secrets can be listed");
	api_call_free(api_call);
	if (config_of(check)->read_only) {
		report_skip(&check->report, STEP_WRITE, "a mount with ro changes nothing");
		end(check);
	} else if (config_of(check)->provider->seals) {
		check_key(check);
	} else {
		check_write(check);
	}
}

static void check_read(struct check *check)
{
	start_call(check, OPERATION_LIST_SECRETS, listed);
}

/* --- the key that values are sealed under
 * ---------------------------------------------------------------------------------------- */

static void on_client_key(struct api_call *api_call)
{
	struct check *check = container_of(api_call, struct check, api_call);
	const uint8_t *pinned = catalog_options(check->client.catalog)->signing_key;
	struct failure failure = api_call->failure;
	struct client_key key;
	const char *why = "";

	if (failure.errnum)
		refused(check, STEP_KEY, &failure, "no client key came");
	else if (client_key_verify(&key, &api_call->result.client_key, pinned,
				   check->has_signing_key ? check->signing_key : NULL,
				   api_call->http.sent_at, &why)) {
		failure_set(&failure, EKEYREJECTED, "%s", why);
		refused(check, STEP_KEY, &failure, "the client key is not to be trusted");
	} else {
		report_ok(&check->report, STEP_KEY,
			  "the client key is signed by %s, and good for %" PRIu64 " s",
			  pinned ? "the key that is trusted" : "the key that the API names",
			  (key.expires_at - loop_now(check->client.loop)) / 1000);
	}
	api_call_free(api_call);
	check_write(check);
}

static void on_signing_key(struct api_call *api_call)
{
	struct check *check = container_of(api_call, struct check, api_call);
	bool failed = api_call->failure.errnum != 0;

	if (failed)
		refused(check, STEP_KEY, &api_call->failure, "no signing key came");
	else
		memcpy(check->signing_key, api_call->result.signing_key, sizeof check->signing_key);
	check->has_signing_key = !failed;
	api_call_free(api_call);
	if (failed)
		check_write(check);
	else
		start_call(check, OPERATION_CLIENT_KEY, on_client_key);
}

static void check_key(struct check *check)
{
	if (config_of(check)->signing_key_from_api)
		start_call(check, OPERATION_SIGNING_KEY, on_signing_key);
	else
		start_call(check, OPERATION_CLIENT_KEY, on_client_key);
}

/* --- the right to change
 * ---------------------------------------------------------------------------------------------------------
 */

/* A service tells only clients with the right to delete that there is nothing to delete. */
static void deleted(struct api_call *api_call)
{
	struct check *check = container_of(api_call, struct check, api_call);
	const struct failure *failure = &api_call->failure;

	if (failure->errnum == 0 || failure->errnum == ENOENT)
		report_ok(&check->report, STEP_WRITE, "secrets may be changed");
	else
		refused(check, STEP_WRITE, failure, "secrets can't be changed");
	api_call_free(api_call);
	end(check);
}

/* Deletes a secret whose name and id are 128 random bits: there is none. */
static void check_write(struct check *check)
{
	uint8_t random[16];

	randombytes_buf(random, sizeof random);
	sodium_bin2hex(check->id, sizeof check->id, random, sizeof random);
	snprintf(check->name, sizeof check->name, "sstorefs-check-%s", check->id);
	start_call(check, OPERATION_DELETE_SECRET, deleted);
}

/* --- all of it
 * -------------------------------------------------------------------------------------------------------------------
 */

static int begin(struct check *check)
{
	struct buffer why = {0};
	int failed = client_read_token(&check->client, &why);

	if (failed) {
		report_failed(&check->report, STEP_TOKEN, buffer_cstr(&why));
		goto out;
	}
	report_ok(&check->report, STEP_TOKEN, "%s can be read", check->client.token.origin);
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
	int status;

	log_as_json(config->log_json);
	log_name(config->source, NULL);
	log_open(LOG_TO_STDERR, config->debug);
	client_init(&check.client, config);
	report_begin(&check.report);
	if (!begin(&check)) {
		check.deadline = loop_now(check.client.loop) + config->timeout;
		catalog_probe(check.client.catalog, on_probed, &check);
		if (loop_run(check.client.loop))
			report_failed(&check.report, STEP_SERVICE, "waiting for an answer failed");
		check.report.rate_limit_remaining = net_counts(check.client.net)->budget_remaining;
	}
	report_print(&check.report, config);
	status = check.report.status;
	store_release(check.store);
	report_finish(&check.report);
	client_close(&check.client);
	return status;
}
