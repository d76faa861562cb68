/* The daemon: starts and ends its parts, handles signals. */
#include "daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "mounting.h"
#include "sd_notify.h"
#include "sstorefs/clock.h"
#include "sstorefs/fs.h"
#include "sstorefs/hardening.h"
#include "sstorefs/log.h"
#include "sstorefs/wait.h"

/* Milliseconds beyond `timeout` that the service manager is to allow for unmounting. */
#define END_MARGIN 10000
/* Milliseconds beyond `timeout` that the drain lasts: uploads that it starts have all of `timeout`,
 * and a moment more to report their outcome. */
#define OUTCOME_MARGIN 200

/* Milliseconds after a boot in which other mounts may be starting too, and over which first calls
 * are spread then. */
#define BOOT_TIME	  120000
#define FIRST_CALL_SPREAD 2000

struct daemon {
	struct config *config;
	struct client client;
	struct fs *fs;
	struct error_log error_log;
	struct sd_notifier notifier;
	struct mounting mounting;
	struct watch signals;
	struct timer first_call;
	bool draining;
	int status;
	const struct background *background; /* NULL: it stays in the foreground */
};

/* --- the end */

static void on_drained(void *context, unsigned lost)
{
	struct daemon *daemon = context;

	if (lost)
		daemon->status = STATUS_MOUNT_FAILED;
	loop_stop(daemon->client.loop);
}

static void shutdown_begin(void *context)
{
	struct daemon *daemon = context;

	if (daemon->fs && daemon->draining)
		return;
	daemon->draining = true;
	if (!daemon->fs) {
		loop_stop(daemon->client.loop);
		return;
	}
	sd_notifier_send(
		&daemon->notifier,
		"STOPPING=1\nSTATUS=ending: what is whole is stored first\nEXTEND_TIMEOUT_USEC=%" PRIu64,
		(daemon->config->timeout + END_MARGIN) * 1000);
	fs_drain(daemon->fs,
		 loop_now(daemon->client.loop) + daemon->config->timeout + OUTCOME_MARGIN,
		 on_drained, daemon);
}

static void unmount(void *context)
{
	struct daemon *daemon = context;

	mounting_unmount(&daemon->mounting);
}

static void refresh(void *context)
{
	struct daemon *daemon = context;

	catalog_refresh(daemon->client.catalog);
	/* A mount on a name that the kernel forgets goes with the name, and its writers would write
	 * to the store below. */
	if (!mountpoint_has_submounts(daemon->config))
		fs_forget_names(daemon->fs);
}

/* --- signals */

static void reload(struct daemon *daemon)
{
	struct timespec now;

	/* The time tells the manager which reload this is (systemd 253 on, Type=notify-reload). */
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifier_send(&daemon->notifier, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
			 (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	client_reread_token(&daemon->client);
	net_reread_cacert(daemon->client.net);
	refresh(daemon);
	sd_notifier_send(&daemon->notifier, "READY=1");
}

static void on_signal(struct watch *watch)
{
	struct daemon *daemon = container_of(watch, struct daemon, signals);
	struct signalfd_siginfo info;

	while (read(watch->fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGHUP && daemon->fs) {
			reload(daemon);
		} else if (info.ssi_signo == SIGHUP) {
			client_reread_token(&daemon->client);
		} else if (!daemon->fs) {
			log_line(LOG_ERR,
				 "%s is not mounted: ended by a signal before %s had answered",
				 daemon->config->source, daemon->config->endpoint);
			loop_stop(daemon->client.loop);
		} else if (daemon->draining) {
			loop_stop(daemon->client.loop); /* the second signal ends it at once */
		} else {
			log_line(LOG_NOTICE, "ending: what is whole is stored first");
			shutdown_begin(daemon);
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
	daemon->signals.readable = on_signal;
	daemon->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return daemon->signals.fd < 0 ? -errno : watch_start(daemon->client.loop, &daemon->signals);
}

/* --- the beginning */

static int mount_fs(struct daemon *daemon)
{
	struct buffer why = {0};
	char descriptor[32];
	int failed = mounting_mount(&daemon->mounting, &daemon->config->place, &why);

	if (failed >= 0) {
		snprintf(descriptor, sizeof descriptor, "/dev/fd/%d", failed);
		failed = fs_mount(daemon->fs, descriptor);
	}
	if (failed)
		log_line(
			LOG_ERR,
			"%s can't be mounted on %s: %s: see that /dev/fuse can be opened, and that you may mount there",
			daemon->config->source, daemon->config->mountpoint,
			why.length ? buffer_cstr(&why) : strerror(-failed));
	buffer_finish(&why);
	return failed;
}

/* Mounts, gives privileges away and installs the filter of system calls. Returns 0, or -errno after
 * a line in the log. */
static int mount_and_confine(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	const struct fs_options options = {
		.loop = daemon->client.loop,
		.catalog = daemon->client.catalog,
		.pool = &daemon->client.pool,
		.error_log = &daemon->error_log,
		.config = config,
		.token = &daemon->client.token,
		.ended = shutdown_begin,
		.unmount = unmount,
		.refresh = refresh,
		.context = daemon,
	};
	struct buffer scopes = {0};
	int failed = fs_new(&daemon->fs, &options);

	if (failed) {
		log_line(LOG_ERR, "%s can't be mounted: %s", config->source, strerror(-failed));
		return failed;
	}
	failed = mount_fs(daemon);
	if (failed)
		return failed;
	if (config_explain_scopes(config, &scopes))
		log_line(LOG_WARNING, "%s", buffer_cstr(&scopes));
	buffer_finish(&scopes);
	failed = switch_user(config, &daemon->client.pool);
	if (failed) {
		log_line(
			LOG_ERR,
			"privileges can't be given up: %s: see that user= names one that can be had",
			strerror(-failed));
		return failed;
	}
	return syscall_filter_install();
}

static void on_probed(void *context, const struct failure *failure)
{
	struct daemon *daemon = context;
	const struct config *config = daemon->config;
	struct buffer why = {0};

	if (failure->errnum) {
		client_explain(&daemon->client, failure, &why);
		log_line(LOG_ERR, "%s", buffer_cstr(&why));
		buffer_finish(&why);
	}
	if (failure->errnum || mount_and_confine(daemon)) {
		loop_stop(daemon->client.loop);
		return;
	}
	daemon->status = STATUS_GOOD;
	if (daemon->background)
		daemonize_detach(daemon->background);
	else
		log_line(LOG_INFO, "%s is mounted on %s", config->source, config->mountpoint);
	sd_notifier_send(&daemon->notifier, "READY=1\nSTATUS=%s is mounted on %s", config->source,
			 config->mountpoint);
}

/* Reads the token and prepares all that needs no mount. Returns 0, or -errno after a line in the
 * log. */
static int prepare(struct daemon *daemon)
{
	struct buffer why = {0};
	int failed = token_read(&daemon->client.token, daemon->config, NULL, &why);

	if (!failed)
		failed = client_open(&daemon->client, &why);
	if (!failed) {
		log_attach(daemon->client.loop);
		failed = watch_signals(daemon);
	}
	if (!failed)
		failed = error_log_init(&daemon->error_log);
	/* In the background the manager knows only the parent process: its exit status reports the
	 * mount. */
	if (!failed && daemon->config->foreground)
		sd_notifier_open(&daemon->notifier, daemon->client.loop);
	if (failed)
		log_line(LOG_ERR, "%s", why.length ? buffer_cstr(&why) : strerror(-failed));
	buffer_finish(&why);
	return failed;
}

static void finish(struct daemon *daemon)
{
	fs_free(daemon->fs);
	sd_notifier_close(&daemon->notifier);
	log_attach(NULL);
	error_log_free(&daemon->error_log);
	watch_stop(&daemon->signals);
	if (daemon->signals.fd > 0)
		close(daemon->signals.fd);
	if (daemon->client.loop)
		timer_stop(daemon->client.loop, &daemon->first_call);
	client_close(&daemon->client);
}

static void on_first_call(struct timer *timer)
{
	struct daemon *daemon = container_of(timer, struct daemon, first_call);

	catalog_probe(daemon->client.catalog, config_doubts_signing_key(daemon->config), on_probed,
		      daemon);
}

/* Sends the first call, soon after a boot at a random moment if it counts against the rate limit: a
 * rack that gets its power back starts all its mounts at once. */
static int start_first_call(struct daemon *daemon)
{
	bool spread = clock_boottime() < BOOT_TIME &&
		      !daemon->config->provider->rate_rules.reads_unmetered;
	uint64_t pause = spread ? randombytes_uniform(FIRST_CALL_SPREAD) : 0;

	daemon->first_call.expired = on_first_call;
	return timer_start(daemon->client.loop, &daemon->first_call,
			   loop_now(daemon->client.loop) + pause);
}

int daemon_serve(struct config *config, const struct mounting *mounting,
		 const struct background *background)
{
	struct daemon daemon = {.config = config,
				.notifier.socket = -1,
				.mounting = *mounting,
				.status = STATUS_MOUNT_FAILED,
				.background = background};

	client_init(&daemon.client, config);
	daemon.client.error_log = &daemon.error_log;
	if (!process_cores_are_empty())
		log_line(
			geteuid() == 0 ? LOG_WARNING : LOG_DEBUG,
			"/proc/self/coredump_filter can't be written: a core that root takes would hold the token");
	if (!prepare(&daemon)) {
		if (start_first_call(&daemon) || loop_run(daemon.client.loop))
			daemon.status = STATUS_MOUNT_FAILED;
	}
	finish(&daemon);
	mounting_finish(&daemon.mounting);
	return daemon.status;
}
