/*
 * Filters the system calls of a daemon that is mounted: any other call ends the process. Landlock
 * is not used: a process under its rules may not look into one that is not, and so could not tell a
 * writer that was killed from one that is done (/proc/PID/fdinfo, the status of an exit).
 */
#include <errno.h>
#include <string.h>

#include "daemon.h"
#include "sstorefs/hardening.h"
#include "sstorefs/log.h"

#ifdef HAVE_SECCOMP
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

#define CALL(name) SCMP_SYS(name)

/* Calls that are allowed whatever their arguments. */
static const int calls[] = {
	/* the loop, and what it reads and writes */
	CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(pwritev2), CALL(pread64),
	CALL(close), CALL(poll), CALL(ppoll), CALL(eventfd2), CALL(pipe2), CALL(lseek), CALL(fcntl),
	CALL(dup), CALL(dup2), CALL(dup3), CALL(ioctl),
	/* memory */
	CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(mlock), CALL(mlock2),
	CALL(munlock),
	/* time, randomness, identity */
	CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(time), CALL(nanosleep),
	CALL(clock_nanosleep), CALL(getrandom), CALL(getpid), CALL(gettid), CALL(getppid),
	CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(uname), CALL(sysinfo),
	CALL(prlimit64), CALL(getrlimit), CALL(sched_yield), CALL(sched_getaffinity), CALL(getcpu),
	CALL(getrusage),
	/* files and processes that are looked at */
	CALL(stat), CALL(lstat), CALL(fstat), CALL(newfstatat), CALL(statx), CALL(fstatfs),
	CALL(statfs), CALL(access), CALL(faccessat), CALL(faccessat2), CALL(readlink),
	CALL(readlinkat), CALL(getdents64), CALL(getcwd), CALL(pidfd_open), CALL(kcmp),
	/* the network, the log, the service manager, the process that unmounts */
	CALL(connect), CALL(bind), CALL(getsockopt), CALL(setsockopt), CALL(getsockname),
	CALL(getpeername), CALL(sendto), CALL(recvfrom), CALL(sendmsg), CALL(recvmsg),
	CALL(sendmmsg), CALL(recvmmsg), CALL(shutdown),
	/* threads, which libcurl looks names up in, and signals */
	CALL(futex), CALL(set_robust_list), CALL(rseq), CALL(set_tid_address), CALL(rt_sigaction),
	CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack), CALL(restart_syscall),
	CALL(exit), CALL(exit_group), CALL(arch_prctl), CALL(membarrier),
	/* going to the background */
	CALL(setsid), CALL(chdir), CALL(umask)};

#define EQUAL(argument, value)	      SCMP_CMP(argument, SCMP_CMP_EQ, (scmp_datum_t)(value))
#define MASKED(argument, mask, value) SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value)
#define WRITING			      (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))
#define THREAD			      (CLONE_THREAD | CLONE_VM)

static int allow_by_arguments(scmp_filter_ctx filter)
{
	const uint32_t denied = SCMP_ACT_ERRNO(EACCES), allowed = SCMP_ACT_ALLOW;
	const struct {
		uint32_t action;
		int call;
		unsigned count;
		struct scmp_arg_cmp arguments[2];
	} rules[] = {
		/* Files are opened to be read, and nothing is written to but what is open. */
		{allowed, CALL(open), 1, {MASKED(1, WRITING, O_RDONLY)}},
		{allowed, CALL(openat), 1, {MASKED(2, WRITING, O_RDONLY)}},
		{denied, CALL(open), 1, {MASKED(1, O_ACCMODE, O_WRONLY)}},
		{denied, CALL(open), 1, {MASKED(1, O_ACCMODE, O_RDWR)}},
		{denied, CALL(openat), 1, {MASKED(2, O_ACCMODE, O_WRONLY)}},
		{denied, CALL(openat), 1, {MASKED(2, O_ACCMODE, O_RDWR)}},
		/* Memory is written to or executed, not both, one after the other. Libraries that
		 * are loaded late map their code from a file. */
		{allowed, CALL(mmap), 1, {MASKED(2, PROT_WRITE | PROT_EXEC, 0)}},
		{allowed, CALL(mmap), 1, {MASKED(2, PROT_WRITE | PROT_EXEC, PROT_WRITE)}},
		{allowed,
		 CALL(mmap),
		 2,
		 {MASKED(2, PROT_WRITE | PROT_EXEC, PROT_EXEC), MASKED(3, MAP_ANONYMOUS, 0)}},
		{allowed, CALL(mprotect), 1, {MASKED(2, PROT_EXEC, 0)}},
		/* Threads, and no processes. clone3(2), which glibc tries first, has its flags in
		 * memory, where a filter does not see them: ENOSYS makes glibc use clone(2). */
		{SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0, {{0}}},
		{allowed,
		 CALL(clone),
		 1,
		 {MASKED(0, THREAD | CLONE_NEWUSER | CLONE_NEWNS, THREAD)}},
		/* abort(3), in this process alone. */
		{allowed, CALL(tgkill), 1, {EQUAL(0, getpid())}},
		{allowed, CALL(prctl), 1, {EQUAL(0, PR_SET_NAME)}},
		{allowed, CALL(prctl), 1, {EQUAL(0, PR_SET_VMA)}},
		/* The time of an open file is set, and of none by its path (clock_files). */
		{allowed, CALL(utimensat), 1, {EQUAL(1, 0)}},
		/* libcurl wakes itself up by a pair of sockets. */
		{allowed, CALL(socketpair), 1, {EQUAL(0, AF_UNIX)}},
		/* Other kinds of sockets look to libraries as if the kernel had none. */
		{allowed, CALL(socket), 1, {EQUAL(0, AF_UNIX)}},
		{allowed, CALL(socket), 1, {EQUAL(0, AF_INET)}},
		{allowed, CALL(socket), 1, {EQUAL(0, AF_INET6)}},
		{allowed, CALL(socket), 1, {EQUAL(0, AF_NETLINK)}},
		{SCMP_ACT_ERRNO(EAFNOSUPPORT),
		 CALL(socket),
		 1,
		 {SCMP_CMP(0, SCMP_CMP_GT, AF_NETLINK)}},
	};
	int failed = 0;

	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		failed |= seccomp_rule_add_array(filter, rules[i].action, rules[i].call,
						 rules[i].count, rules[i].arguments);
	return failed ? -EINVAL : 0;
}

/* Under valgrind the filter would be valgrind's, too, which does much that we don't. */
static bool is_under_valgrind(void)
{
	const char *preloaded = getenv("LD_PRELOAD");

	return preloaded && strstr(preloaded, "/vgpreload_");
}

static int install(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int failed;

	if (!filter)
		return -ENOMEM;
	/* Frequent calls come first. */
	failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1))
		failed = -EOPNOTSUPP;
	for (size_t i = 0; !failed && i < sizeof calls / sizeof *calls; i++)
		failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (!failed)
		failed = allow_by_arguments(filter);
	if (!failed)
		failed = seccomp_load(filter);
	seccomp_release(filter);
	return failed;
}

/* Returns why there is to be no filter; NULL: there is to be one. */
static const char *without_filter(void)
{
	return is_under_valgrind() ? "valgrind makes calls of its own" : NULL;
}

#else

static const char *without_filter(void)
{
	return "it was built without libseccomp";
}

static int install(void)
{
	return 0;
}

#endif

int syscall_filter_install(void)
{
#ifdef SANITIZED
	/* The sanitizers make calls of their own. Such a build is for tests, which compare the
	 * log: no line tells of it. */
	return 0;
#endif
	const char *why = without_filter();
	int failed = why ? 0 : install();

	if (failed == -EFAULT || failed == -ECANCELED || failed == -EOPNOTSUPP) {
		why = "this kernel has no filter of system calls";
		failed = 0;
	}
	if (why)
		log_line(LOG_NOTICE, "its system calls are not filtered: %s", why);
	if (failed)
		log_line(LOG_ERR, "system calls can't be filtered: %s", strerror(-failed));
	return failed;
}
