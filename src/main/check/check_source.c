/*
 * --check of a source: asks the service what a mount and its writers would ask, and changes nothing. One step after the other, in the
 * order of this file.
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
	struct connection connection;
	struct findings findings;
	struct store *store; /* the one that is tried; NULL: there is none */
	struct inquiry inquiry;
	uint64_t deadline; /* of the whole check */
	uint8_t signing_key[crypto_sign_PUBLICKEYBYTES];
	bool has_signing_key;
	char name[48], id[33]; /* of a secret that nobody has */
};

static void check_store(struct check *check);
static void check_read(struct check *check);
static void check_key(struct check *check);
static void check_write(struct check *check);

static const struct config *config_of(const struct check *check)
{
	return check->connection.config;
}

static void end(struct check *check)
{
	loop_stop(check->connection.loop);
}

/* --- one question ---------------------------------------------------------------------------------------------------------------- */

static int ignore_entry(void *context, const struct entry *entry)
{
	(void)context, (void)entry;
	return 0;
}

static void ask(struct check *check, enum operation operation, void (*done)(struct inquiry *inquiry))
{
	check->inquiry = (struct inquiry){.done = done, .result.take = ignore_entry};
	check->inquiry.ask.operation = operation;
	check->inquiry.ask.page = 1;
	check->inquiry.ask.store_id = check->store ? store_id(check->store) : NULL;
	check->inquiry.ask.name = check->name;
	check->inquiry.ask.id = check->id;
	inquiry_start(check->connection.catalog, &check->inquiry, check->deadline);
}

static void refused(struct check *check, enum step step, const struct failure *failure, const char *what)
{
	char why[1024];

	snprintf(why, sizeof why, "%s: %s (%s)", what, failure->words, failure_errno_name(failure->error));
	findings_refused(&check->findings, step, failure, why);
}

/* --- the service, and whether it takes the token --------------------------------------------------------------------------------- */

/* The first call's failure tells how far it came. */
static void tell_greeting(struct check *check, const struct failure *failure)
{
	const struct config *config = config_of(check);
	bool refused_token = failure->status == 401 || failure->status == 403 || failure->error == EACCES;
	bool no_store = failure->error == ENOENT && config->store;
	struct buffer line = {0};

	connection_explain(&check->connection, failure, &line);
	if (refused_token || no_store)
		findings_good(&check->findings, STEP_SERVICE, "%s answers", config->endpoint);
	if (no_store)
		findings_good(&check->findings, STEP_ACCESS, "the token is accepted");
	findings_refused(&check->findings,
			 refused_token ? STEP_ACCESS
			 : no_store    ? STEP_STORE
				       : STEP_SERVICE,
			 failure, buffer_text(&line));
	buffer_finish(&line);
}

static void greeted(void *context, const struct failure *failure)
{
	struct check *check = context;

	if (failure->error) {
		tell_greeting(check, failure);
		end(check);
		return;
	}
	findings_good(&check->findings, STEP_SERVICE, "%s answers", config_of(check)->endpoint);
	findings_good(&check->findings, STEP_ACCESS, "the token is accepted");
	check_store(check);
}

/* --- a store to try the rest with ------------------------------------------------------------------------------------------------ */

static struct store *first_store(struct catalog *catalog)
{
	struct snapshot *view = listing_known_view(catalog_stores(catalog));
	const struct record *record;
	struct failure ignored = {0};
	uint64_t position = 0;

	if (!view)
		view = listing_view(catalog_stores(catalog), &ignored);
	record = view ? snapshot_next(view, &position) : NULL;
	if (record)
		record = catalog_record(catalog, record->serial);
	if (view)
		snapshot_release(view);
	return record ? catalog_store(catalog, record) : NULL;
}

static void check_store(struct check *check)
{
	struct catalog *catalog = check->connection.catalog;
	bool only = config_of(check)->store != NULL;

	check->store = only ? catalog_only_store(catalog) : first_store(catalog);
	if (!check->store) {
		findings_skip(&check->findings, STEP_STORE,
			      "there is no store yet to try the rest with: make one with mkdir");
		end(check);
		return;
	}
	store_reference(check->store);
	findings_good(&check->findings, STEP_STORE, only ? "%s is there" : "%s stands for all stores",
		      store_name(check->store));
	check_read(check);
}

/* --- the right to list ----------------------------------------------------------------------------------------------------------- */

static void listed(struct inquiry *inquiry)
{
	struct check *check = container_of(inquiry, struct check, inquiry);

	if (inquiry->failure.error)
		refused(check, STEP_READ, &inquiry->failure, "secrets can't be listed");
	else
		findings_good(&check->findings, STEP_READ, "secrets can be listed");
	inquiry_finish(inquiry);
	if (config_of(check)->read_only) {
		findings_skip(&check->findings, STEP_WRITE, "a mount with ro changes nothing");
		end(check);
	} else if (config_of(check)->provider->seals) {
		check_key(check);
	} else {
		check_write(check);
	}
}

static void check_read(struct check *check)
{
	ask(check, OPERATION_LIST_SECRETS, listed);
}

/* --- the key that values are sealed under ---------------------------------------------------------------------------------------- */

static void client_key_came(struct inquiry *inquiry)
{
	struct check *check = container_of(inquiry, struct check, inquiry);
	const uint8_t *pinned = catalog_options(check->connection.catalog)->signing_key;
	struct failure failure = inquiry->failure;
	struct client_key key;
	const char *why = "";

	if (failure.error)
		refused(check, STEP_KEY, &failure, "no client key came");
	else if (client_key_accept(&key, &inquiry->result.client_key, pinned,
				   check->has_signing_key ? check->signing_key : NULL, inquiry->call.sent_at,
				   &why)) {
		failure_set(&failure, EKEYREJECTED, "%s", why);
		refused(check, STEP_KEY, &failure, "the client key is not to be trusted");
	} else {
		findings_good(&check->findings, STEP_KEY,
			      "the client key is signed by %s, and good for %" PRIu64 " s",
			      pinned ? "the key that is trusted" : "the key that the API names",
			      (key.dies_at - loop_now(check->connection.loop)) / 1000);
	}
	inquiry_finish(inquiry);
	check_write(check);
}

static void signing_key_came(struct inquiry *inquiry)
{
	struct check *check = container_of(inquiry, struct check, inquiry);
	bool failed = inquiry->failure.error != 0;

	if (failed)
		refused(check, STEP_KEY, &inquiry->failure, "no signing key came");
	else
		memcpy(check->signing_key, inquiry->result.signing_key, sizeof check->signing_key);
	check->has_signing_key = !failed;
	inquiry_finish(inquiry);
	if (failed)
		check_write(check);
	else
		ask(check, OPERATION_CLIENT_KEY, client_key_came);
}

static void check_key(struct check *check)
{
	if (config_of(check)->signing_key_from_api)
		ask(check, OPERATION_SIGNING_KEY, signing_key_came);
	else
		ask(check, OPERATION_CLIENT_KEY, client_key_came);
}

/* --- the right to change --------------------------------------------------------------------------------------------------------- */

/* That there is nothing to delete is what a service says only to those who may. */
static void deleted(struct inquiry *inquiry)
{
	struct check *check = container_of(inquiry, struct check, inquiry);
	const struct failure *failure = &inquiry->failure;

	if (failure->error == 0 || failure->error == ENOENT)
		findings_good(&check->findings, STEP_WRITE, "secrets may be changed");
	else
		refused(check, STEP_WRITE, failure, "secrets can't be changed");
	inquiry_finish(inquiry);
	end(check);
}

/* Deletes a secret whose name and id are 128 random bits: there is none. */
static void check_write(struct check *check)
{
	uint8_t random[16];

	randombytes_buf(random, sizeof random);
	sodium_bin2hex(check->id, sizeof check->id, random, sizeof random);
	snprintf(check->name, sizeof check->name, "sstorefs-check-%s", check->id);
	ask(check, OPERATION_DELETE_SECRET, deleted);
}

/* --- all of it ------------------------------------------------------------------------------------------------------------------- */

static int begin(struct check *check)
{
	struct buffer why = {0};
	int failed = connection_read_token(&check->connection, &why);

	if (failed) {
		findings_failed(&check->findings, STEP_TOKEN, buffer_text(&why));
		goto out;
	}
	findings_good(&check->findings, STEP_TOKEN, "%s can be read", check->connection.token.origin);
	failed = connection_open(&check->connection, &why);
	if (failed)
		findings_failed(&check->findings, STEP_SERVICE, buffer_text(&why));
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
	connection_init(&check.connection, config);
	findings_begin(&check.findings);
	if (!begin(&check)) {
		check.deadline = loop_now(check.connection.loop) + config->timeout;
		catalog_greet(check.connection.catalog, greeted, &check);
		if (loop_run(check.connection.loop))
			findings_failed(&check.findings, STEP_SERVICE, "waiting for an answer failed");
		check.findings.rate_limit_remaining = net_counts(check.connection.net)->budget_remaining;
	}
	findings_print(&check.findings, config);
	status = check.findings.status;
	store_release(check.store);
	findings_finish(&check.findings);
	connection_close(&check.connection);
	return status;
}
