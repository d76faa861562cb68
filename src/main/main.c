/* sstorefs: from argv to the exit status. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "main/check/check.h"
#include "sstorefs/hardening.h"
#include "sstorefs/log.h"
#include "sstorefs/net.h"

/* The largest size of malloc's fast path, as far as libc lets it be set: libfuse's allocations for
 * each request are smaller. */
#define FAST_SIZE_MAX (80 * (int)sizeof(size_t) / 4)

/*
 * GnuTLS, which libcurl's LDAP and RTMP bring along where its own TLS is OpenSSL: its constructor
 * would make random numbers, test itself and look for tokens, an eighth of the time that loading
 * takes and a twelfth of the bare process's memory. A libcurl that is built with GnuTLS initializes
 * it itself. The name is GnuTLS's documented way to say so.
 */
int _gnutls_global_init_skip(void);
__attribute__((visibility("default"))) int _gnutls_global_init_skip(void)
{
	return 1;
}

static int check(struct config *config)
{
	privileges_freeze(config);
	return config->source ? check_source(config) : check_mount(config);
}

static int mount_and_serve(struct config *config, int argc, char **argv)
{
	struct background background;
	struct mounting mounting;
	int failed;

	if (config_check_mountpoint(config) || privileges_check(config))
		return STATUS_MOUNT_FAILED;
	if (!config->foreground) {
		failed = daemonize_fork(&background, config);
		if (failed) {
			fprintf(stderr,
				"sstorefs: can't go to the background: %s: raise the limit of "
				"processes (ulimit -u), or mount with -f\n",
				strerror(-failed));
			return STATUS_MOUNT_FAILED;
		}
	}
	failed = mounting_begin(&mounting, config, argc, argv);
	if (failed) {
		fprintf(stderr,
			"sstorefs: the process that unmounts at the end can't be started: %s: raise "
			"the limit of processes (ulimit -u)\n",
			strerror(-failed));
		return STATUS_MOUNT_FAILED;
	}
	descriptors_raise();
	privileges_freeze(config);
	return daemon_serve(config, &mounting, config->foreground ? NULL : &background);
}

/* Opens the standard streams that the parent process has closed: a descriptor that got one of their
 * numbers would be replaced in the background. */
static void hold_standard_streams(void)
{
	int null;

	do
		null = open("/dev/null", O_RDWR);
	while (null >= 0 && null <= STDERR_FILENO);
	if (null >= 0)
		close(null);
}

int main(int argc, char **argv)
{
	struct config config;
	int status = STATUS_GOOD;

	process_harden();
	hold_standard_streams();
	mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	mallopt(M_MXFAST, FAST_SIZE_MAX);
	if (net_global_init() || sodium_init() < 0) {
		fprintf(stderr,
			"sstorefs: libcurl or libsodium can't be initialized: see that both are "
			"installed as a whole\n");
		return STATUS_MOUNT_FAILED;
	}
	signal(SIGPIPE, SIG_IGN);
	if (config_read(&config, argc, argv))
		status = STATUS_USAGE;
	else if (config.action == ACTION_HELP)
		config_print_help();
	else if (config.action == ACTION_VERSION)
		config_print_version();
	else if (config.action == ACTION_CHECK)
		status = check(&config);
	else if (config.action == ACTION_FAKE)
		status = config_check_mountpoint(&config) ? STATUS_MOUNT_FAILED : STATUS_GOOD;
	else
		status = mount_and_serve(&config, argc, argv);
	log_close();
	config_finish(&config);
	process_soften();
	return status;
}
