/*
 * The session with the kernel: the mount, its descriptor in the loop, its requests and their
 * receive buffer.
 */
#include <fcntl.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "flush.h"
#include "fs_internal.h"
#include "fuse_io.h"
#include "operations.h"
#include "retained.h"
#include "upload.h"

#define REQUESTS_PER_ITERATION 64
#define HEADER_SIZE	       4096u /* libfuse's, in front of the data of a WRITE */
/* libfuse reads this much before INIT, whatever max_write is. */
#define SIZE_FIRST     ((1u << 20) + HEADER_SIZE)
#define WRITE_SIZE_MAX (128u << 10)

static void fs_init(void *data, struct fuse_conn_info *connection)
{
	struct fs *fs = data;
	const unsigned unwanted = FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				  FUSE_CAP_SPLICE_MOVE | FUSE_CAP_WRITEBACK_CACHE |
				  FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_FLOCK_LOCKS |
				  FUSE_CAP_POSIX_LOCKS;

	connection->want &= ~unwanted;
	connection->max_write = (unsigned)fs->max_write;
	connection->max_readahead = 0;
	connection->time_gran = 1;
	task_queue(fs->loop, &fs->resize);
}

/* FORGET needs no count: an inode is valid as long as what it refers to. libfuse answers it where
 * there is no function, and FSYNCDIR so that the kernel lets it succeed from then on. */
static const struct fuse_lowlevel_ops operations = {
	.init = fs_init,
	.lookup = fs_lookup,
	.getattr = fs_getattr,
	.setattr = fs_setattr,
	.access = fs_access,
	.statfs = fs_statfs,
	.opendir = fs_opendir,
	.readdir = fs_readdir,
	.readdirplus = fs_readdirplus,
	.releasedir = fs_releasedir,
	.mkdir = fs_mkdir,
	.rmdir = fs_rmdir,
	.unlink = fs_unlink,
	.rename = fs_rename,
	.link = fs_link,
	.symlink = fs_symlink,
	.readlink = fs_readlink,
	.mknod = fs_mknod,
	.open = fs_open,
	.create = fs_create,
	.read = fs_read,
	.write = fs_write,
	.fallocate = fs_fallocate,
	.flush = fs_flush,
	.fsync = fs_fsync,
	.release = fs_release,
	.getxattr = fs_getxattr,
	.setxattr = fs_setxattr,
	.listxattr = fs_listxattr,
	.removexattr = fs_removexattr,
};

/* --- the receive buffer */

/* Maps the buffer in which requests arrive. Values arrive in it too, so it is locked, left out of
 * core dumps, and wiped after every WRITE. */
static int make_receive_buffer(struct fs *fs, size_t size, bool locked)
{
	/* cppcheck-suppress invalidFunctionArg ; -1 goes with MAP_ANONYMOUS */
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return -ENOMEM;
	if (locked && sodium_mlock(pages, size)) {
		munmap(pages, size);
		return -ENOBUFS;
	}
	fs->receive.mem = pages;
	fs->receive_size = size;
	return 0;
}

static void drop_receive_buffer(struct fs *fs)
{
	if (!fs->receive.mem)
		return;
	sodium_munlock(fs->receive.mem, fs->receive_size);
	munmap(fs->receive.mem, fs->receive_size);
	fs->receive.mem = NULL;
}

/* Exchanges the receive buffer for a smaller one in locked memory, once INIT was answered: values
 * arrive only after that. */
static void shrink_receive_buffer(struct task *task)
{
	struct fs *fs = container_of(task, struct fs, resize);

	drop_receive_buffer(fs);
	if (make_receive_buffer(fs, fs->max_write + HEADER_SIZE, true)) {
		log_line(
			LOG_ERR,
			"no locked memory for receiving values: raise RLIMIT_MEMLOCK (ulimit -l) to 1 MiB or more");
		watch_stop(&fs->watch);
		fs->options.ended(fs->options.context);
	}
}

/* Returns the size of the largest WRITE: smaller where little memory can be locked. */
static size_t write_size(const struct locked_pool *pool)
{
	size_t size = WRITE_SIZE_MAX;

	while (size > 4096 && size > pool->cap / 8)
		size /= 2;
	return size;
}

/* --- requests */

/* The kernel's fuse_in_header. */
struct request_header {
	uint32_t length, opcode;
	uint64_t unique, node;
	uint32_t uid, gid, pid, padding;
};

static bool bears_value(const struct request_header *header)
{
	enum { SETXATTR = 21, WRITE = 16 }; /* FUSE_SETXATTR, FUSE_WRITE of the kernel's protocol */

	return header->opcode == WRITE || header->opcode == SETXATTR;
}

static void session_ended(struct fs *fs)
{
	fs->unmounted = true;
	watch_stop(&fs->watch);
	fs->options.ended(fs->options.context);
}

static void on_requests(struct watch *watch)
{
	struct fs *fs = container_of(watch, struct fs, watch);

	for (unsigned i = 0; i < REQUESTS_PER_ITERATION && !fs->unmounted; i++) {
		int length = fuse_session_receive_buf(fs->session, &fs->receive);
		struct request_header *header;
		bool wipe;

		if (length == -EINTR)
			continue;
		if (length == -EAGAIN)
			return;
		if (length <= 0 || fuse_session_exited(fs->session)) {
			session_ended(fs);
			return;
		}
		header = fs->receive.mem;
		wipe = bears_value(header);
		/* Looked up in our /proc, they would be those of other processes. */
		if (fs->config->foreign_pids)
			header->pid = 0;
		fuse_session_process_buf(fs->session, &fs->receive);
		if (wipe)
			sodium_memzero(fs->receive.mem, (size_t)length);
		files_check(fs);
		if (task_is_queued(&fs->resize))
			return; /* INIT: the next request arrives in another buffer */
	}
}

/* --- life */

int fs_new(struct fs **made, const struct fs_options *options)
{
	struct fs *fs = calloc(1, sizeof *fs);
	int failed;

	if (!fs)
		return -ENOMEM;
	fs->options = *options;
	fs->loop = options->loop;
	fs->catalog = options->catalog;
	fs->config = options->config;
	fs->provider = options->config->provider;
	TAILQ_INIT(&fs->files);
	TAILQ_INIT(&fs->scans);
	TAILQ_INIT(&fs->open_waits);
	TAILQ_INIT(&fs->written.by_age);
	retained_init(fs);
	fs->files_by_entry_id.compare = compare_first_u32;
	fs->files_by_name.compare = files_compare_name;
	fs->processes.compare = compare_first_u32;
	fs->written.by_entry_id.compare = compare_first_u32;
	fs->processes_most = processes_most();
	fs->resize.run = shrink_receive_buffer;
	fs->max_write = write_size(options->pool);
	/* Numbers that other file systems are unlikely to use, for /proc/PID/fdinfo is searched by
	 * them; below 2^53, so that a double can hold them. */
	fs->inode_base = (uint64_t)(1 + randombytes_uniform((1u << 20) - 1)) << 32;
	fs->mounted_at = clock_files();
	failed = make_receive_buffer(fs, SIZE_FIRST, false);
	if (failed) {
		fs->options.pool->reclaim = NULL;
		free(fs);
		return failed;
	}
	*made = fs;
	return 0;
}

/* Sends libfuse's messages to our log: by itself it writes to stderr, and blocks if that is a full
 * pipe. Its levels are those of syslog. */
__attribute__((format(printf, 2, 0))) static void log_for_libfuse(enum fuse_log_level level,
								  const char *format,
								  va_list arguments)
{
	char line[512];

	vsnprintf(line, sizeof line, format, arguments);
	line[strcspn(line, "\n")] = '\0';
	log_line((int)level, "libfuse: %s", line);
}

int fs_mount(struct fs *fs, const char *descriptor)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int failed = 0;

	fs->mounted = true; /* also if a step below fails: fs_free unmounts */
	if (fuse_opt_add_arg(&args, "sstorefs") || fuse_opt_add_arg(&args, "-o") ||
	    fuse_opt_add_arg(&args, buffer_cstr(&fs->config->mount_options))) {
		failed = -ENOMEM;
		goto out;
	}
	fs->session = fuse_session_new(&args, &operations, sizeof operations, fs);
	if (!fs->session || fuse_session_mount(fs->session, descriptor)) {
		failed = -EIO;
		goto out;
	}
	/* Set only now, because main/mounting.c puts libfuse's messages about the mount in one
	 * line. */
	fuse_set_log_func(log_for_libfuse);
	failed = fuse_io_install(fs);
	if (failed)
		goto out;
	fs->watch.fd = fuse_session_fd(fs->session);
	fs->watch.readable = on_requests;
	if (fcntl(fs->watch.fd, F_SETFL, fcntl(fs->watch.fd, F_GETFL) | O_NONBLOCK))
		failed = -errno;
	else
		failed = watch_start(fs->loop, &fs->watch);
out:
	fuse_opt_free_args(&args);
	return failed;
}

static void cancel_uploads(struct fs *fs)
{
	while (!LIST_EMPTY(&fs->upload_list))
		upload_cancel(LIST_FIRST(&fs->upload_list));
}

void fs_free(struct fs *fs)
{
	if (!fs)
		return;
	while (!LIST_EMPTY(&fs->deferred))
		deferred_interrupt(LIST_FIRST(&fs->deferred), true);
	cancel_uploads(fs);
	fs_release_all(fs);
	cancel_uploads(fs); /* that closing the last handles has started */
	files_free(fs);
	written_finish(&fs->written);
	directories_forget(fs);
	control_forget(fs);
	task_cancel(&fs->resize);
	timer_stop(fs->loop, &fs->staging_timer);
	retained_free_all(fs);
	fs->options.pool->reclaim = NULL;
	timer_stop(fs->loop, &fs->drain_timer);
	task_cancel(&fs->drain_task);
	task_cancel(&fs->scan_task);
	task_cancel(&fs->open_waits_task);
	watch_stop(&fs->watch);
	if (fs->mounted && !fs->unmounted)
		fs->options.unmount(fs->options.context);
	if (fs->session)
		fuse_session_destroy(fs->session);
	drop_receive_buffer(fs);
	free(fs->reply_page);
	free(fs);
}
