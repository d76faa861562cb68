/*
 * The FUSE request path as a kernel drives it, without one: requests in any order that a kernel
 * could send, answers of the service in any state, until the end of the mount. Each request is
 * answered once, no value comes back, and what the service gets is what was written, whole.
 */
#include "fuse_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sstorefs/name.h"

static bool traces;

void kernel_trace(const char *format, ...)
{
	va_list arguments;

	if (!traces)
		return;
	va_start(arguments, format);
	vdprintf(STDERR_FILENO, format, arguments);
	va_end(arguments);
}

int LLVMFuzzerInitialize(int *count, char ***argv)
{
	(void)count, (void)argv;
	traces = getenv("TRACE") != NULL;
	quiet();
	clearenv();
	return 0;
}

/* --- in the place of the kernel's descriptor */

/* The session knows no more of us than the file system that it serves. */
static struct kernel *present;

static ssize_t session_reads(void *to, size_t size)
{
	struct kernel *kernel = present;
	size_t length = kernel->length;
	struct fuse_in_header header;

	if (!length) {
		errno = kernel->gone ? ENODEV : EAGAIN;
		return -1;
	}
	MUST(length <= size);
	memcpy(to, kernel->request, length);
	kernel->length = 0;
	memcpy(&header, to, sizeof header);
	kernel_trace("%llu asks %u of %llx\n", (unsigned long long)header.unique, header.opcode,
		     (unsigned long long)header.nodeid);
	return (ssize_t)length;
}

static ssize_t session_writes(const struct iovec *pieces, int count)
{
	struct kernel *kernel = present;
	static uint8_t reply[KERNEL_REPLY_MAX];
	size_t length = 0;

	for (int i = 0; i < count; i++) {
		MUST(pieces[i].iov_len <= sizeof reply - length);
		memcpy(reply + length, pieces[i].iov_base, pieces[i].iov_len);
		length += pieces[i].iov_len;
	}
	if (kernel_takes(kernel, reply, length))
		return (ssize_t)length;
	errno = ENOENT;
	return -1;
}

ssize_t __real_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size)
{
	return fd == present->fd ? session_reads(to, size) : __real_read(fd, to, size);
}

ssize_t __real_write(int fd, const void *from, size_t size);
ssize_t __wrap_write(int fd, const void *from, size_t size);
ssize_t __wrap_write(int fd, const void *from, size_t size)
{
	struct iovec piece = {(void *)(uintptr_t)from, size};

	return fd == present->fd ? session_writes(&piece, 1) : __real_write(fd, from, size);
}

ssize_t __real_writev(int fd, const struct iovec *pieces, int count);
ssize_t __wrap_writev(int fd, const struct iovec *pieces, int count);
ssize_t __wrap_writev(int fd, const struct iovec *pieces, int count)
{
	return fd == present->fd ? session_writes(pieces, count) : __real_writev(fd, pieces, count);
}

/*
 * Each mount ends with its buffers wiped, a megabyte that nothing was written to: a quarter of a
 * run, for what no request can change.
 */
int __wrap_sodium_munlock(void *memory, size_t size);
int __wrap_sodium_munlock(void *memory, size_t size)
{
	return munlock(memory, size);
}

/* --- what the service was given */

/* A secret's value may be what its writer wrote until the last close, and nothing else. */
static void check_values(struct kernel *kernel)
{
	const struct service *service = &kernel->scripted.service;

	for (unsigned i = 0; i < SERVICE_SECRETS; i++) {
		uint64_t value = service->secrets[i].value;

		if (service->secrets[i].there && value)
			MUST(kernel_wrote(kernel, value));
	}
}

/* --- life */

static void drained(void *context, unsigned lost)
{
	struct kernel *kernel = context;

	(void)lost;
	kernel->over = true;
	loop_stop(kernel->scripted.loop);
}

static void end(struct kernel *kernel)
{
	if (!kernel->draining)
		fs_drain(kernel->fs, loop_now(kernel->scripted.loop) + kernel->config.timeout,
			 drained, kernel);
	kernel->draining = true;
}

static void mount_ended(void *context)
{
	end(context);
}

/* The descriptor is a socket of ours: there is nothing to unmount. */
static void unmount(void *context)
{
	(void)context;
}

static void refresh(void *context)
{
	struct kernel *kernel = context;

	catalog_refresh(kernel->catalog);
}

static void probed(void *context, const struct failure *failure)
{
	static const struct token token;
	struct kernel *kernel = context;
	const struct fs_options options = {.loop = kernel->scripted.loop,
					   .catalog = kernel->catalog,
					   .pool = &kernel->pool,
					   .error_log = &kernel->error_log,
					   .config = &kernel->config,
					   .token = &token,
					   .ended = mount_ended,
					   .unmount = unmount,
					   .refresh = refresh,
					   .context = kernel};

	kernel->over = failure->errnum;
	if (failure->errnum) {
		loop_stop(kernel->scripted.loop);
		return;
	}
	MUST(!fs_new(&kernel->fs, &options));
	MUST(!fs_mount(kernel->fs, kernel->config.mountpoint));
	kernel->mounted = true;
}

static bool event(void *context)
{
	struct kernel *kernel = context;

	if (kernel->fs)
		files_check(kernel->fs);
	if (!kernel->mounted || kernel->draining)
		return false;
	if (kernel->length)
		return true;
	if (!kernel->input->left)
		kernel_values_are_whole(kernel);
	if (kernel->input->left)
		kernel_asks(kernel);
	else if (kernel->how & 1 && kernel->initialised)
		end(kernel); /* SIGTERM */
	else
		kernel->gone = true; /* umount */
	return true;
}

static bool waits(void *context)
{
	const struct kernel *kernel = context;

	return !kernel->over;
}

/* --- the mount */

static void read_config(struct kernel *kernel)
{
	static const char *const sources[] = {"fastly:",
					      "fastly:prod",
					      "cloudflare:0123456789abcdef0123456789abcdef",
					      "cloudflare:0123456789abcdef0123456789abcdef/prod",
					      "stripe:",
					      "stripe:account",
					      "github:octo/app",
					      "github:octo/app/prod",
					      "github:octo-org"};
	static const char *const commits[] = {"commit=close", "commit=fsync", "commit=write",
					      "commit=close"};
	static const char *const others[] = {"rw",    "nocreate",   "newline=keep", "minimal",
					     "ttl=0", "indefinite", "ro",	    "timeout=3"};
	const size_t last = sizeof sources / sizeof *sources - 1;
	char program[] = "sstorefs", source[64], mountpoint[] = "/mnt", flag[] = "-o", text[128];
	char *argv[] = {program, source, mountpoint, flag, text, NULL};
	uint8_t options = input_byte(kernel->input);

	strcpy(source, sources[input_number(kernel->input, last)]);
	snprintf(text, sizeof text, "%s,%s", commits[options % 4], others[options / 4 % 8]);
	MUST(!config_read(&kernel->config, 5, argv));
	/* As if the process that passed the descriptor had mounted it, which the session closes at
	 * its end. */
	kernel->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	free(kernel->config.mountpoint);
	MUST(kernel->fd >= 0 && asprintf(&kernel->config.mountpoint, "/dev/fd/%d", kernel->fd) > 0);
}

static void make_catalog(struct kernel *kernel)
{
	const struct config *config = &kernel->config;
	const struct catalog_options options = {.provider = config->provider,
						.account = config->account,
						.store = config->store,
						.ttl = config->ttl,
						.negative_ttl = config->negative_ttl,
						.timeout = config->timeout,
						.minimal = config->minimal,
						.users = config->users,
						.signing_key = service_signing_key()};

	MUST(!catalog_new(&kernel->catalog, kernel->scripted.loop, &kernel->scripted.net,
			  &options));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	static uint8_t request[KERNEL_REQUEST_MAX];
	struct kernel kernel = {.input = &input, .how = input_byte(&input), .request = request};
	struct loop *loop;

	scripted_time_begin();
	same_again();
	present = &kernel;
	read_config(&kernel);
	MUST(!loop_new(&loop) && !error_log_init(&kernel.error_log));
	/* Little enough that openers have to wait for room, or as much as there usually is. */
	locked_pool_init(&kernel.pool, kernel.how & 2 ? 48 << 10 : 4 << 20);
	scripted_net_init(&kernel.scripted, loop, &input, kernel.config.provider);
	kernel.scripted.event = event;
	kernel.scripted.waits = waits;
	kernel.scripted.context = &kernel;
	make_catalog(&kernel);
	catalog_probe(kernel.catalog, false, probed, &kernel);
	MUST(!loop_run(loop));
	if (!kernel.fs)
		close(kernel.fd);
	fs_free(kernel.fs);
	kernel_ends(&kernel);
	catalog_free(kernel.catalog);
	scripted_net_finish(&kernel.scripted);
	check_values(&kernel);
	MUST(!kernel.pool.held && TAILQ_EMPTY(&kernel.pool.waiting));
	error_log_free(&kernel.error_log);
	config_finish(&kernel.config);
	loop_free(loop);
	return 0;
}
