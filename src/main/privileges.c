/* Gives up what no later part of the process needs: privileges, and with `user=` the user. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon.h"
#include "sstorefs/log.h"

void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

void privileges_freeze(const struct config *config)
{
	/* Without root, unmounting takes fusermount3, which is setuid. */
	if (geteuid() == 0 || config->mount_fd >= 0)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/*
 * Capabilities that a daemon keeps after a mount by root, where it had them: it looks at processes
 * of other users, to distinguish a writer that was killed, or that still holds the file, from one
 * that is done. CAP_SYS_PTRACE opens /proc/PID/fdinfo and shows how a process ends,
 * CAP_DAC_READ_SEARCH opens /proc/PID/fd. Nothing else that is done after the mount takes any.
 */
#define KEPT (UINT64_C(1) << CAP_SYS_PTRACE | UINT64_C(1) << CAP_DAC_READ_SEARCH)

/* Removes all but `kept` from the bounding set. Without CAP_SETPCAP it stays, which gives nothing
 * without new privileges. */
static void bound_capabilities(uint64_t kept)
{
	for (int number = 0; number < 64 && prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++)
		if (!(kept >> number & 1))
			prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
}

/* Gives up all capabilities but `kept`, whatever securebits are set. Returns 0 or -errno. */
static int keep_capabilities(uint64_t kept)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0},
				      had[_LINUX_CAPABILITY_U32S_3];

	bound_capabilities(kept);
	if (syscall(SYS_capget, &header, sets))
		return -errno;
	memcpy(had, sets, sizeof had);
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets[i].permitted &= (uint32_t)(kept >> 32 * i);
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = 0;
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* A process without capabilities may be under a filter that forbids capset (a unit of
	 * systemd). */
	if (memcmp(had, sets, sizeof had) == 0)
		return 0;
	return syscall(SYS_capset, &header, sets) ? -errno : 0;
}

int privileges_keep_unmounting(void)
{
	if (geteuid() == 0)
		return keep_capabilities(UINT64_C(1) << CAP_SYS_ADMIN);
	return 0; /* and fusermount3's own, which is setuid */
}

static int become(const struct config *config)
{
	uid_t uid = config->user_uid;
	gid_t gid = config->user_gid;

	bound_capabilities(0); /* which takes root */
	if (initgroups(config->user, gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	/* A change of identity can make a process dumpable again (fs.suid_dumpable). */
	prctl(PR_SET_DUMPABLE, 0);
	return keep_capabilities(0);
}

/* Becomes the user, in a child process, and opens the CA file. Returns 0 or -errno. */
static int check_cacert_readable(const struct config *config)
{
	int failed = become(config), fd;

	if (failed || !config->cacert)
		return failed;
	fd = open(config->cacert, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : close(fd);
}

int privileges_check(const struct config *config)
{
	pid_t child;
	int failed;

	if (!config->user)
		return 0;
	child = fork();
	if (child == 0)
		_exit(-check_cacert_readable(config));
	failed = child_wait(child);
	if (!failed)
		return 0;
	log_line(LOG_ERR, "user=%s can't work: %s: it must be possible to become that user%s%s",
		 config->user, strerror(-failed),
		 config->cacert ? ", who must be able to read " : "",
		 config->cacert ? config->cacert : "");
	return failed;
}

/* Raises RLIMIT_MEMLOCK to what the pool needs, which root does not, and other users do; a quarter
 * of it is for memory beside the pool. */
static void keep_locking(struct locked_pool *pool)
{
	const struct rlimit wanted = {pool->cap / 3 * 4, pool->cap / 3 * 4};
	struct rlimit present;

	if (getrlimit(RLIMIT_MEMLOCK, &present) || present.rlim_cur >= wanted.rlim_cur)
		return;
	if (setrlimit(RLIMIT_MEMLOCK, &wanted))
		pool->cap = present.rlim_cur / 4 * 3;
}

static int become_other(const struct config *config)
{
	const char *const files[] = {config->token_file, config->proxy_password_file};
	int failed = become(config);

	if (!failed && setuid(0) == 0)
		failed = -EPERM;
	for (size_t i = 0; !failed && i < sizeof files / sizeof *files; i++)
		if (files[i] && access(files[i], R_OK))
			log_line(LOG_WARNING,
				 "%s can't read %s: what will be new in it takes a new mount",
				 config->user, files[i]);
	return failed;
}

int switch_user(const struct config *config, struct locked_pool *pool)
{
	if (geteuid() == 0)
		keep_locking(pool);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return config->user ? become_other(config) : keep_capabilities(KEPT);
}
