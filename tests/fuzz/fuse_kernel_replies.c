/* What a kernel makes of the answers: what it remembers for further requests, and what would break
 * it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>

#include "fuse_kernel.h"
#include "sstorefs/name.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* --- values */

static void add_value(struct kernel *kernel, const uint8_t *value, size_t length)
{
	if (kernel->value_count == KERNEL_VALUES)
		kernel->any_value = true;
	else
		kernel->values[kernel->value_count++] = service_hash(value, length);
}

void kernel_value_is_whole(struct kernel *kernel, const struct kernel_handle *handle)
{
	kernel->any_value |= handle->shared;
	kernel_trace("%zu bytes of %llx may be published\n", handle->length,
		     (unsigned long long)handle->number);
	if (!handle->length)
		return;
	add_value(kernel, handle->written, handle->length);
	if (handle->written[handle->length - 1] == '\n')
		add_value(kernel, handle->written, handle->length - 1);
}

void kernel_values_are_whole(struct kernel *kernel)
{
	for (unsigned i = 0; i < KERNEL_HANDLES; i++)
		if (kernel->handles[i].number)
			kernel_value_is_whole(kernel, &kernel->handles[i]);
}

bool kernel_wrote(const struct kernel *kernel, uint64_t value)
{
	for (unsigned i = 0; i < kernel->value_count; i++)
		if (kernel->values[i] == value)
			return true;
	return kernel->any_value;
}

/* What grows without being written to is zeros. */
static void grow(struct kernel_handle *handle, size_t length)
{
	if (length <= handle->length)
		return;
	handle->written = realloc(handle->written, length);
	MUST(handle->written);
	memset(handle->written + handle->length, 0, length - handle->length);
	handle->length = length;
}

void kernel_writes(struct kernel *kernel, struct kernel_handle *handle, uint64_t offset,
		   const uint8_t *data, size_t size)
{
	if (handle->append)
		offset = handle->length;
	if (handle->number < kernel->fs->inode_base)
		return; /* .sstorefs/refresh */
	grow(handle, offset + size);
	memcpy(handle->written + offset, data, size);
	if (kernel->config.commit == COMMIT_WRITE)
		kernel_value_is_whole(kernel, handle);
}

/* Nothing more of a handle that refused a WRITE is ever published; but a value that was tried to be
 * published stays. */
static void refused(const struct kernel *kernel, const struct kernel_pending *pending)
{
	if (pending->opcode == FUSE_WRITE && kernel->config.commit != COMMIT_WRITE)
		pending->handle->length = 0;
}

static void truncated(const struct kernel *kernel, const struct kernel_pending *pending)
{
	if (!pending->handle || !(pending->flags & FATTR_SIZE) ||
	    pending->number < kernel->fs->inode_base)
		return;
	grow(pending->handle, pending->offset);
	pending->handle->length = pending->offset;
}

/* --- nodes and handles */

static void remember_node(struct kernel *kernel, uint64_t number)
{
	for (unsigned i = 0; i < kernel->node_count; i++)
		if (kernel->nodes[i] == number)
			return;
	if (number && kernel->node_count < KERNEL_NODES)
		kernel->nodes[kernel->node_count++] = number;
}

static void take_entry(struct kernel *kernel, const struct fuse_entry_out *entry)
{
	MUST(entry->nodeid == entry->attr.ino || !entry->nodeid);
	MUST(entry->attr_valid <= 1 && entry->entry_valid <= 5);
	MUST(!entry->nodeid || entry->attr.mode & 0170000);
	remember_node(kernel, entry->nodeid);
}

static void take_handle(struct kernel *kernel, const struct kernel_pending *pending,
			uint64_t number, const struct fuse_open_out *open)
{
	struct kernel_handle *handle = kernel->handles;
	bool directory = pending->opcode == FUSE_OPENDIR;

	while (handle->number) {
		handle++;
		MUST(handle < kernel->handles + KERNEL_HANDLES);
	}
	MUST(directory || open->open_flags & FOPEN_DIRECT_IO);
	*handle = (struct kernel_handle){
		.number = number, .handle = open->fh, .directory = directory};
	handle->append = pending->flags & O_APPEND;
	handle->shared = pending->temporary;
	/* All openers of a staged file share it; from outside it is unknown which one that is. */
	for (unsigned i = 0; i < KERNEL_HANDLES; i++)
		handle->shared |= kernel->handles[i].number == number && kernel->handles[i].shared;
}

/* --- bodies of answers */

static void take_lookup(struct kernel *kernel, struct kernel_pending *pending, const uint8_t *body,
			size_t length)
{
	struct fuse_entry_out entry;

	(void)pending;
	MUST(length == sizeof entry);
	memcpy(&entry, body, sizeof entry);
	take_entry(kernel, &entry);
}

static void take_create(struct kernel *kernel, struct kernel_pending *pending, const uint8_t *body,
			size_t length)
{
	struct fuse_entry_out entry;
	struct fuse_open_out open;

	MUST(length == sizeof entry + sizeof open);
	memcpy(&entry, body, sizeof entry);
	memcpy(&open, body + sizeof entry, sizeof open);
	MUST(entry.nodeid);
	take_entry(kernel, &entry);
	take_handle(kernel, pending, entry.nodeid, &open);
}

static void take_open(struct kernel *kernel, struct kernel_pending *pending, const uint8_t *body,
		      size_t length)
{
	struct fuse_open_out open;

	MUST(length == sizeof open);
	memcpy(&open, body, sizeof open);
	take_handle(kernel, pending, pending->number, &open);
}

static void take_attributes(struct kernel *kernel, struct kernel_pending *pending,
			    const uint8_t *body, size_t length)
{
	struct fuse_attr_out attributes;

	(void)kernel;
	MUST(length == sizeof attributes);
	memcpy(&attributes, body, sizeof attributes);
	MUST(attributes.attr.ino == pending->number && attributes.attr_valid <= 1);
	if (pending->opcode == FUSE_SETATTR)
		truncated(kernel, pending);
}

static void take_name(const char *name, size_t length)
{
	MUST(length && length <= NAME_LENGTH_MAX);
	MUST(!memchr(name, '/', length) && !memchr(name, '\0', length));
}

/* The next READDIR begins behind the last entry. */
static void take_directory(struct kernel *kernel, struct kernel_pending *pending,
			   const uint8_t *body, size_t length)
{
	size_t at = 0,
	       head = pending->opcode == FUSE_READDIRPLUS ? sizeof(struct fuse_entry_out) : 0;
	struct fuse_entry_out entry;
	struct fuse_dirent item;

	MUST(length <= pending->size);
	while (at < length) {
		MUST(length - at >= head + FUSE_NAME_OFFSET);
		if (head) {
			memcpy(&entry, body + at, sizeof entry);
			take_entry(kernel, &entry);
		}
		memcpy(&item, body + at + head, FUSE_NAME_OFFSET);
		at += head + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + item.namelen);
		MUST(at <= length && item.off);
		take_name((const char *)body + at -
				  FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + item.namelen) +
				  FUSE_NAME_OFFSET,
			  item.namelen);
		pending->handle->offset = item.off;
	}
}

/* Of a control file, never of a secret. */
static void take_read(struct kernel *kernel, struct kernel_pending *pending, const uint8_t *body,
		      size_t length)
{
	(void)body;
	MUST(length <= pending->size);
	MUST(pending->number < kernel->fs->inode_base);
}

static void take_write(struct kernel *kernel, struct kernel_pending *pending, const uint8_t *body,
		       size_t length)
{
	struct fuse_write_out out;

	(void)kernel;
	MUST(length == sizeof out);
	memcpy(&out, body, sizeof out);
	MUST(out.size == pending->size);
}

static void take_attribute(struct kernel *kernel, struct kernel_pending *pending,
			   const uint8_t *body, size_t length)
{
	(void)kernel, (void)body;
	MUST(pending->size ? length <= pending->size : length == sizeof(struct fuse_getxattr_out));
}

static void take_figures(struct kernel *kernel, struct kernel_pending *pending, const uint8_t *body,
			 size_t length)
{
	(void)kernel, (void)pending, (void)body;
	MUST(length == sizeof(struct fuse_statfs_out));
}

static void take_init(struct kernel *kernel, struct kernel_pending *pending, const uint8_t *body,
		      size_t length)
{
	struct fuse_init_out out = {0};

	(void)pending;
	MUST(length >= 24);
	memcpy(&out, body, length < sizeof out ? length : sizeof out);
	MUST(out.major == FUSE_KERNEL_VERSION && out.max_write >= 4096);
	MUST(!(out.flags & FUSE_WRITEBACK_CACHE));
	kernel->initialised = true;
}

static void opt_nothing(struct kernel *kernel, struct kernel_pending *pending, const uint8_t *body,
			size_t length)
{
	(void)kernel, (void)pending, (void)body;
	MUST(!length);
}

static void take_allocation(struct kernel *kernel, struct kernel_pending *pending,
			    const uint8_t *body, size_t length)
{
	struct kernel_handle *handle = pending->handle;
	size_t end = pending->offset + pending->size;

	opt_nothing(kernel, pending, body, length);
	if (!(pending->flags & FALLOC_FL_KEEP_SIZE))
		grow(handle, end);
	if (end > handle->length)
		end = handle->length;
	if (pending->flags & ~(uint32_t)FALLOC_FL_KEEP_SIZE && pending->offset < end)
		memset(handle->written + pending->offset, 0, end - pending->offset);
}

static const struct {
	uint32_t opcode;
	void (*take)(struct kernel *kernel, struct kernel_pending *pending, const uint8_t *body,
		     size_t length);
} takers[] = {
	{FUSE_LOOKUP, take_lookup},	 {FUSE_MKDIR, take_lookup},
	{FUSE_LINK, take_lookup},	 {FUSE_CREATE, take_create},
	{FUSE_MKNOD, take_lookup},	 {FUSE_FALLOCATE, take_allocation},
	{FUSE_OPEN, take_open},		 {FUSE_OPENDIR, take_open},
	{FUSE_GETATTR, take_attributes}, {FUSE_SETATTR, take_attributes},
	{FUSE_READDIR, take_directory},	 {FUSE_READDIRPLUS, take_directory},
	{FUSE_READ, take_read},		 {FUSE_WRITE, take_write},
	{FUSE_GETXATTR, take_attribute}, {FUSE_LISTXATTR, take_attribute},
	{FUSE_STATFS, take_figures},	 {FUSE_INIT, take_init},
};

/* --- the answer */

static struct kernel_pending *pending_of(struct kernel *kernel, uint64_t unique)
{
	for (unsigned i = 0; i < KERNEL_PENDING; i++)
		if (kernel->pending[i].unique == unique)
			return &kernel->pending[i];
	return NULL;
}

static void take_success(struct kernel *kernel, struct kernel_pending *pending, const uint8_t *body,
			 size_t length)
{
	for (size_t i = 0; i < COUNT(takers); i++)
		if (takers[i].opcode == pending->opcode) {
			takers[i].take(kernel, pending, body, length);
			return;
		}
	opt_nothing(kernel, pending, body, length);
}

bool kernel_takes(struct kernel *kernel, const uint8_t *reply, size_t length)
{
	struct fuse_out_header header;
	struct kernel_pending *pending;
	bool opens;

	MUST(length >= sizeof header);
	memcpy(&header, reply, sizeof header);
	MUST(header.len == length && header.error <= 0 && header.error > -512);
	MUST(header.unique); /* never a notification (doc/semantics.md, chapter 10) */
	kernel_trace("%llu is answered %d\n", (unsigned long long)header.unique, header.error);
	pending = pending_of(kernel, header.unique);
	MUST(pending);
	opens = pending->opcode == FUSE_OPEN || pending->opcode == FUSE_CREATE ||
		pending->opcode == FUSE_OPENDIR;
	if (pending->handle)
		pending->handle->pending--;
	if (header.error)
		MUST(length == sizeof header && pending->opcode != FUSE_RELEASE);
	if (header.error)
		refused(kernel, pending);
	else if (!(opens && pending->interrupted))
		take_success(kernel, pending, reply + sizeof header, length - sizeof header);
	bool given_up =
		opens && pending->interrupted && !header.error && pending->opcode != FUSE_OPENDIR;

	*pending = (struct kernel_pending){0};
	return !given_up;
}

void kernel_ends(struct kernel *kernel)
{
	for (unsigned i = 0; i < KERNEL_PENDING; i++)
		MUST(!kernel->pending[i].unique);
	for (unsigned i = 0; i < KERNEL_HANDLES; i++)
		free(kernel->handles[i].written);
}
