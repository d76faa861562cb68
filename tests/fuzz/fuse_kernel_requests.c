/* The requests of a kernel, in the protocol of fuse(4), made from the fuzzer's bytes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/staging.h"
#include "fuse_kernel_request.h"
#include "sstorefs/name.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* --- requests without a handle --- */

/* NODE and a name, behind `size` bytes of arguments. */
static void ask_name(struct kernel *kernel, uint32_t opcode, const void *arguments, size_t size)
{
	char name[1024];

	if (!request_begin(kernel, opcode, some_node(kernel)))
		return;
	some_name(kernel, name);
	request_add(kernel, arguments, size);
	request_add_text(kernel, name);
	request_finish(kernel);
}

static void lookup(struct kernel *kernel)
{
	ask_name(kernel, FUSE_LOOKUP, NULL, 0);
}

static void unlink_or_rmdir(struct kernel *kernel)
{
	ask_name(kernel, input_byte(kernel->input) & 1 ? FUSE_UNLINK : FUSE_RMDIR, NULL, 0);
}

static void make_directory(struct kernel *kernel)
{
	const struct fuse_mkdir_in in = {.mode = 0755};

	ask_name(kernel, FUSE_MKDIR, &in, sizeof in);
}

static void make_odd(struct kernel *kernel)
{
	struct fuse_mknod_in in = {.mode = 0100644};
	uint8_t how = input_byte(kernel->input);
	char name[1024];

	if (how & 1) {
		in.mode = how & 2 ? 0100644 : 0010644;
		ask_name(kernel, FUSE_MKNOD, &in, sizeof in);
		return;
	}
	if (!request_begin(kernel, FUSE_SYMLINK, some_node(kernel)))
		return;
	some_name(kernel, name);
	request_add_text(kernel, name);
	request_add_text(kernel, "target");
	request_finish(kernel);
}

static void rename_name(struct kernel *kernel)
{
	struct fuse_rename2_in in = {.newdir = some_node(kernel),
				     .flags = input_number(kernel->input, 3)};
	char from[1024], to[1024];

	if (!request_begin(kernel, FUSE_RENAME2, some_node(kernel)))
		return;
	if (input_byte(kernel->input) & 1) {
		struct fuse_in_header header;

		memcpy(&header, kernel->request, sizeof header);
		in.newdir = header.nodeid; /* most renames stay where they are */
	}
	some_name(kernel, from);
	some_name(kernel, to);
	request_add(kernel, &in, sizeof in);
	request_add_text(kernel, from);
	request_add_text(kernel, to);
	request_finish(kernel);
	kernel_values_are_whole(kernel);
}

static void link_name(struct kernel *kernel)
{
	const struct fuse_link_in in = {.oldnodeid = some_node(kernel)};

	ask_name(kernel, FUSE_LINK, &in, sizeof in);
}

static void get_attributes(struct kernel *kernel)
{
	const struct fuse_getattr_in in = {.getattr_flags = 0};

	if (!request_begin(kernel, FUSE_GETATTR, some_node(kernel)))
		return;
	request_add(kernel, &in, sizeof in);
	request_finish(kernel);
}

static void look_around(struct kernel *kernel)
{
	const struct fuse_access_in in = {.mask = input_number(kernel->input, 7)};
	bool access = input_byte(kernel->input) & 1;

	if (!request_begin(kernel, access ? FUSE_ACCESS : FUSE_STATFS, some_node(kernel)))
		return;
	if (access)
		request_add(kernel, &in, sizeof in);
	request_finish(kernel);
}

/* --- opening and closing --- */

static uint32_t some_flags(struct kernel *kernel)
{
	static const uint32_t flags[] = {O_WRONLY, O_WRONLY, O_RDWR, O_RDONLY};
	uint8_t how = input_byte(kernel->input);

	return flags[how % 4] | (how & 4 ? O_TRUNC : 0) | (how & 8 ? O_APPEND : 0);
}

static bool handles_are_left(const struct kernel *kernel)
{
	unsigned left = KERNEL_HANDLES;

	for (unsigned i = 0; i < KERNEL_HANDLES; i++)
		left -= kernel->handles[i].number != 0;
	for (unsigned i = 0; i < KERNEL_PENDING; i++) {
		uint32_t opcode = kernel->pending[i].unique ? kernel->pending[i].opcode : 0;

		left -= left &&
			(opcode == FUSE_OPEN || opcode == FUSE_CREATE || opcode == FUSE_OPENDIR);
	}
	return left;
}

static void open_node(struct kernel *kernel)
{
	struct fuse_open_in in = {.flags = some_flags(kernel)};
	bool directory = input_byte(kernel->input) % 4 == 0;
	struct kernel_pending *pending;

	if (!handles_are_left(kernel))
		return;
	pending = request_begin(kernel, directory ? FUSE_OPENDIR : FUSE_OPEN, some_node(kernel));
	if (!pending)
		return;
	pending->flags = in.flags;
	request_add(kernel, &in, sizeof in);
	request_finish(kernel);
}

static void create(struct kernel *kernel)
{
	struct fuse_create_in in = {
		.flags = some_flags(kernel) | O_CREAT, .mode = 0100600, .umask = 022};
	struct kernel_pending *pending;
	char name[1024];

	if (input_byte(kernel->input) & 1)
		in.flags |= O_EXCL;
	if (!handles_are_left(kernel))
		return;
	pending = request_begin(kernel, FUSE_CREATE, some_node(kernel));
	if (!pending)
		return;
	pending->flags = in.flags;
	some_name(kernel, name);
	pending->temporary = staging_applies(kernel->fs, name, (int)in.flags);
	request_add(kernel, &in, sizeof in);
	request_add_text(kernel, name);
	request_finish(kernel);
}

static void release(struct kernel *kernel)
{
	bool directory = input_byte(kernel->input) % 4 == 0;
	struct kernel_handle *handle = some_handle(kernel, directory);
	struct fuse_release_in in = {0};

	/* The kernel lets go of it only when nothing on it is under way. */
	if (!handle || handle->pending ||
	    !request_begin(kernel, directory ? FUSE_RELEASEDIR : FUSE_RELEASE, handle->number))
		return;
	in.fh = handle->handle;
	request_add(kernel, &in, sizeof in);
	request_finish(kernel);
	kernel_value_is_whole(kernel, handle);
	free(handle->written);
	*handle = (struct kernel_handle){0};
}

/* --- requests on what is open --- */

static uint64_t some_owner(struct kernel *kernel)
{
	return 1 + input_number(kernel->input, 1);
}

static size_t some_size(struct kernel *kernel)
{
	uint8_t how = input_byte(kernel->input);

	if (how == 255)
		return 65536;
	if (how == 254)
		return 128u << 10;
	return 1 + how % 64;
}

/* The beginning of the value, one byte after it, or anywhere. */
static uint64_t some_offset(struct kernel *kernel, const struct kernel_handle *handle)
{
	uint8_t how = input_byte(kernel->input);

	return how % 8 < 6 ? handle->length : how % 8 == 6 ? 0 : input_number(kernel->input, 70000);
}

static void write_data(struct kernel *kernel)
{
	struct kernel_pending *pending = request_begin_on(kernel, FUSE_WRITE, false);
	struct fuse_write_in in = {0};
	uint8_t byte;

	if (!pending)
		return;
	in.fh = pending->handle->handle;
	in.offset = some_offset(kernel, pending->handle);
	in.size = (uint32_t)some_size(kernel);
	if (in.size > kernel->fs->max_write)
		in.size = (uint32_t)kernel->fs->max_write;
	in.lock_owner = some_owner(kernel);
	in.flags = pending->handle->append ? O_WRONLY | O_APPEND : O_WRONLY;
	in.write_flags = 1u << 1; /* FUSE_WRITE_LOCKOWNER */
	request_add(kernel, &in, sizeof in);
	byte = input_byte(kernel->input);
	memset(kernel->request + kernel->length, byte % 4 ? 'a' + byte % 26 : byte, in.size);
	if (in.size && byte % 4 == 1)
		kernel->request[kernel->length + in.size - 1] = '\n';
	kernel_writes(kernel, pending->handle, in.offset, kernel->request + kernel->length,
		      in.size);
	pending->size = in.size;
	kernel->length += in.size;
	request_finish(kernel);
}

static void read_data(struct kernel *kernel)
{
	struct kernel_pending *pending = request_begin_on(kernel, FUSE_READ, false);
	struct fuse_read_in in = {.size = 4096};

	if (!pending)
		return;
	in.fh = pending->handle->handle;
	in.offset = input_number(kernel->input, 5000);
	pending->size = in.size;
	request_add(kernel, &in, sizeof in);
	request_finish(kernel);
}

static void read_directory(struct kernel *kernel)
{
	bool plus = input_byte(kernel->input) & 1;
	struct kernel_pending *pending =
		request_begin_on(kernel, plus ? FUSE_READDIRPLUS : FUSE_READDIR, true);
	struct fuse_read_in in = {.size = input_byte(kernel->input) & 1 ? 4096 : 300};

	if (!pending)
		return;
	in.fh = pending->handle->handle;
	in.offset = input_byte(kernel->input) % 8 ? pending->handle->offset
						  : input_number(kernel->input, 70000);
	pending->size = in.size;
	request_add(kernel, &in, sizeof in);
	request_finish(kernel);
}

static void flush(struct kernel *kernel)
{
	struct kernel_pending *pending = request_begin_on(kernel, FUSE_FLUSH, false);
	struct fuse_flush_in in = {0};

	if (!pending)
		return;
	in.fh = pending->handle->handle;
	in.lock_owner = some_owner(kernel);
	request_add(kernel, &in, sizeof in);
	request_finish(kernel);
	kernel_value_is_whole(kernel, pending->handle);
}

/* Publishes what others have closed, too. */
static void synchronise(struct kernel *kernel)
{
	bool directory = input_byte(kernel->input) % 8 == 0;
	struct kernel_pending *pending =
		request_begin_on(kernel, directory ? FUSE_FSYNCDIR : FUSE_FSYNC, directory);
	struct fuse_fsync_in in = {0};

	if (!pending)
		return;
	in.fh = pending->handle->handle;
	request_add(kernel, &in, sizeof in);
	request_finish(kernel);
	kernel_values_are_whole(kernel);
}

static void set_attributes(struct kernel *kernel)
{
	struct fuse_setattr_in in = {.mode = 0600, .uid = input_number(kernel->input, 1)};
	struct kernel_pending *pending;
	bool open = input_byte(kernel->input) & 1;

	pending = open ? request_begin_on(kernel, FUSE_SETATTR, false)
		       : request_begin(kernel, FUSE_SETATTR, some_node(kernel));
	if (!pending)
		return;
	in.valid = input_byte(kernel->input) &
		   (FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_SIZE | FATTR_ATIME);
	in.size = input_number(kernel->input, 300);
	if (open) {
		in.valid |= FATTR_FH;
		in.fh = pending->handle->handle;
	}
	pending->flags = in.valid;
	pending->offset = in.size;
	request_add(kernel, &in, sizeof in);
	request_finish(kernel);
}

static void allocate(struct kernel *kernel)
{
	static const uint32_t modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
	struct kernel_pending *pending = request_begin_on(kernel, FUSE_FALLOCATE, false);
	struct fuse_fallocate_in in = {0};

	if (!pending)
		return;
	in.fh = pending->handle->handle;
	in.mode = modes[input_number(kernel->input, COUNT(modes) - 1)];
	in.offset = some_offset(kernel, pending->handle);
	in.length = some_size(kernel);
	pending->flags = in.mode;
	pending->offset = in.offset;
	pending->size = (uint32_t)in.length;
	request_add(kernel, &in, sizeof in);
	request_finish(kernel);
}

/* --- the rest --- */

static void forget(struct kernel *kernel)
{
	struct fuse_in_header header = {.opcode = FUSE_FORGET, .nodeid = some_node(kernel)};
	const struct fuse_forget_in in = {.nlookup = 1};

	header.unique = kernel->unique += 2;
	kernel->length = 0;
	request_add(kernel, &header, sizeof header);
	request_add(kernel, &in, sizeof in);
	request_finish(kernel);
}

static void interrupt(struct kernel *kernel)
{
	struct kernel_pending *pending =
		&kernel->pending[input_number(kernel->input, KERNEL_PENDING - 1)];
	struct fuse_in_header header = {.opcode = FUSE_INTERRUPT};
	struct fuse_interrupt_in in = {.unique = pending->unique};

	if (!pending->unique || pending->opcode == FUSE_INIT)
		return;
	pending->interrupted = true;
	header.unique = pending->unique | 1; /* as kernels number them */
	kernel->length = 0;
	request_add(kernel, &header, sizeof header);
	request_add(kernel, &in, sizeof in);
	request_finish(kernel);
}

/* Requests that this file system does not implement: ioctl, lseek, readlink, bmap. */
static void ask_unknown(struct kernel *kernel)
{
	static const uint32_t opcodes[] = {FUSE_IOCTL, FUSE_LSEEK, FUSE_READLINK, FUSE_BMAP};
	const uint8_t arguments[64] = {0};

	if (!request_begin(kernel, opcodes[input_number(kernel->input, COUNT(opcodes) - 1)],
			   some_node(kernel)))
		return;
	request_add(kernel, arguments, sizeof arguments);
	request_finish(kernel);
}

static void initialise(struct kernel *kernel)
{
	struct fuse_init_in in = {
		.major = FUSE_KERNEL_VERSION, .minor = 38, .max_readahead = 128 << 10};

	in.flags = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_DO_READDIRPLUS |
		   FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | FUSE_WRITEBACK_CACHE |
		   FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | FUSE_DONT_MASK | FUSE_HAS_IOCTL_DIR;
	if (!request_begin(kernel, FUSE_INIT, 0))
		return;
	request_add(kernel, &in, sizeof in);
	request_finish(kernel);
}

void kernel_asks(struct kernel *kernel)
{
	static void (*const requests[])(struct kernel *) = {
		lookup,		lookup,		 open_node,	   create,
		create,		write_data,	 write_data,	   write_data,
		flush,		flush,		 release,	   synchronise,
		read_data,	read_directory,	 read_directory,   set_attributes,
		get_attributes, look_around,	 request_getxattr, request_setxattr,
		make_directory, unlink_or_rmdir, rename_name,	   link_name,
		make_odd,	forget,		 interrupt,	   ask_unknown,
		allocate,
	};

	/* The kernel sends nothing else before INIT is answered. */
	if (!kernel->unique)
		initialise(kernel);
	else if (kernel->initialised)
		requests[input_byte(kernel->input) % COUNT(requests)](kernel);
}
