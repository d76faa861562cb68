/*
 * The daemon: its parts put together, its signals, its beginning and its end.
 */
#include "daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "sstorefs/fs.h"
#include "sstorefs/log.h"
#include "sstorefs/wait.h"

struct daemon {
	struct config *config;
	struct loop *loop;
	struct net *net;
	struct catalog *catalog;
	struct fs *fs;
	struct journal journal;
	struct locked_pool pool;
	struct token token;
	uint8_t signing_key[crypto_sign_PUBLICKEYBYTES];
	struct watch signals;
	bool draining;
	int status;
	void (*ready)(void *context);
	void *context;
};

/* --- credentials ----------------------------------------------------------------------------------------------------------------- */

static int authorize(struct daemon *daemon)
{
	struct credentials credentials = {.token = (const char *)daemon->token.text.data,
					  .email = (const char *)daemon->token.email.data};
	struct locked lines = {.pool = &daemon->pool};
	int failed = daemon->config->provider->authorize(&credentials, &lines);

	if (!failed)
		failed = net_authorize(daemon->net, (const char *)lines.data, lines.length);
	locked_finish(&lines);
	return failed;
}

/* Reads the token again: after a 401, and on SIGHUP. Returns whether it is another one. */
static bool reread_token(void *context)
{
	struct daemon *daemon = context;
	struct buffer why = {0};
	bool changed = false;

	if (token_read(&daemon->token, daemon->config, &changed, &why))
		log_line(LOG_ERR, "%s", buffer_text(&why));
	else if (changed && authorize(daemon))
		changed = false;
	if (changed)
		log_line(LOG_NOTICE, "%s was read again and has changed", daemon->token.origin);
	buffer_finish(&why);
	return changed;
}

/* --- the end --------------------------------------------------------------------------------------------------------------------- */

static void drained(void *context, unsigned lost)
{
	struct daemon *daemon = context;

	if (lost)
		daemon->status = STATUS_MOUNT_FAILED;
	loop_stop(daemon->loop);
}

static void drain(struct daemon *daemon)
{
	if (!daemon->fs || !daemon->draining) {
		daemon->draining = true;
		if (daemon->fs)
			fs_drain(daemon->fs, loop_now(daemon->loop) + daemon->config->timeout, drained,
				 daemon);
		else
			loop_stop(daemon->loop);
	}
}

static void mount_ended(void *context)
{
	drain(context);
}

static void refresh(void *context)
{
	struct daemon *daemon = context;

	catalog_refresh(daemon->catalog);
}

/* --- signals --------------------------------------------------------------------------------------------------------------------- */

static void signal_came(struct watch *watch)
{
	struct daemon *daemon = container_of(watch, struct daemon, signals);
	struct signalfd_siginfo info;

	while (read(watch->fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGHUP) {
			reread_token(daemon);
			refresh(daemon);
		} else if (daemon->draining || !daemon->fs) {
			loop_stop(daemon->loop); /* asked twice, or nothing is mounted yet */
		} else {
			log_line(LOG_NOTICE, "ending: what is whole is stored first");
			drain(daemon);
		}
	}
}

static int watch_signals(struct daemon *daemon)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	daemon->signals.readable = signal_came;
	daemon->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return daemon->signals.fd < 0 ? -errno : watch_start(daemon->loop, &daemon->signals);
}

/* --- the beginning --------------------------------------------------------------------------------------------------------------- */

static void complain(const char *what, const char *why)
{
	fprintf(stderr, "sstorefs: %s: %s\n", what, why);
}

/* What failed, why, and what to do about it, in one line. */
static void explain_refusal(const struct daemon *daemon, const struct failure *failure)
{
	const char *endpoint = daemon->config->endpoint;

	if (failure->status == 401 || failure->status == 403 || failure->error == EACCES)
		fprintf(stderr,
			"sstorefs: %s was refused by %s (%d): %s: check that it is valid, has not expired and may manage secret stores\n",
			daemon->token.origin, endpoint, failure->status, failure->words);
	else if (failure->error == ENOENT && daemon->config->store)
		fprintf(stderr,
			"sstorefs: %s: %s has no such store: check the name, or mount %s: to see what there is\n",
			daemon->config->source, endpoint, daemon->config->provider->name);
	else if (failure->error == EKEYREJECTED)
		fprintf(stderr, "sstorefs: %s: %s: if its CA is your own, name its file with cacert=\n",
			endpoint, failure->words);
	else
		fprintf(stderr,
			"sstorefs: %s can't be mounted: %s (%s): check that %s is right and can be reached\n",
			daemon->config->source, failure->words, failure_errno_name(failure->error), endpoint);
}

/* A mount of ours whose daemon died is in the way. */
static void clear_dead_mount(const struct config *config)
{
	if (config->dead_mount && umount2(config->mountpoint, MNT_DETACH))
		log_line(LOG_WARNING, "the dead mount on %s can't be removed: %s", config->mountpoint,
			 strerror(errno));
}

static void greeted(void *context, const struct failure *failure)
{
	struct daemon *daemon = context;
	const struct fs_options options = {
		.loop = daemon->loop,
		.net = daemon->net,
		.catalog = daemon->catalog,
		.pool = &daemon->pool,
		.journal = &daemon->journal,
		.config = daemon->config,
		.ended = mount_ended,
		.refresh = refresh,
		.context = daemon,
	};
	int failed;

	if (failure->error) {
		explain_refusal(daemon, failure);
		loop_stop(daemon->loop);
		return;
	}
	clear_dead_mount(daemon->config);
	failed = fs_new(&daemon->fs, &options);
	if (!failed)
		failed = fs_mount(daemon->fs);
	if (failed) {
		complain(daemon->config->mountpoint,
			 "it can't be mounted there: see the line before this one, or dmesg(1)");
		loop_stop(daemon->loop);
		return;
	}
	daemon->status = STATUS_GOOD;
	daemon->ready(daemon->context);
}

static int make_net(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	const struct net_options options = {.endpoint = config->endpoint,
					    .cacert = config->cacert,
					    .timeout = config->timeout,
					    .refused = reread_token,
					    .context = daemon};
	struct failure why = {0};
	int failed = net_new(&daemon->net, daemon->loop, &options, &why);

	if (failed)
		complain(config->endpoint, why.words);
	return failed;
}

static int make_catalog(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	const char *key = config->signing_key ? config->signing_key : FASTLY_SIGNING_KEY;
	const struct catalog_options options = {
		.provider = config->provider,
		.account = config->account,
		.store = config->store,
		.ttl = config->ttl,
		.negative_ttl = config->negative_ttl,
		.timeout = config->timeout,
		.minimal = config->minimal,
		.users = config->users,
		.scopes = config->scopes,
		.comment = config->comment,
		.expires = config->expires,
		.signing_key = config->signing_key_from_api ? NULL : daemon->signing_key,
	};

	if (!config->signing_key_from_api && signing_key_decode(daemon->signing_key, key)) {
		complain("signing_key", "it is not the base64 of a 32-byte Ed25519 key");
		return -EINVAL;
	}
	return catalog_new(&daemon->catalog, daemon->loop, daemon->net, &options);
}

static int read_token(struct daemon *daemon)
{
	struct buffer why = {0};
	int failed;

	daemon->token.pool = &daemon->pool;
	failed = token_read(&daemon->token, daemon->config, NULL, &why);
	if (failed)
		fprintf(stderr, "sstorefs: %s\n", buffer_text(&why));
	buffer_finish(&why);
	return failed;
}

static int begin(struct daemon *daemon)
{
	int failed = read_token(daemon);

	if (!failed)
		failed = loop_new(&daemon->loop);
	if (!failed)
		failed = watch_signals(daemon);
	if (!failed)
		failed = journal_init(&daemon->journal);
	if (!failed)
		failed = make_net(daemon);
	if (!failed)
		failed = authorize(daemon);
	if (!failed)
		failed = make_catalog(daemon);
	return failed;
}

static void finish(struct daemon *daemon)
{
	fs_free(daemon->fs);
	catalog_free(daemon->catalog);
	if (daemon->net)
		net_free(daemon->net);
	journal_finish(&daemon->journal);
	watch_stop(&daemon->signals);
	if (daemon->signals.fd > 0)
		close(daemon->signals.fd);
	if (daemon->loop)
		loop_free(daemon->loop);
	token_finish(&daemon->token);
}

int daemon_serve(struct config *config, void (*ready)(void *context), void *context)
{
	struct daemon daemon = {
		.config = config, .status = STATUS_MOUNT_FAILED, .ready = ready, .context = context};

	log_open(LOG_TO_STDERR, config->debug);
	locked_pool_init(&daemon.pool, 0);
	if (!begin(&daemon)) {
		catalog_greet(daemon.catalog, greeted, &daemon);
		if (loop_run(daemon.loop))
			daemon.status = STATUS_MOUNT_FAILED;
	}
	finish(&daemon);
	return daemon.status;
}
