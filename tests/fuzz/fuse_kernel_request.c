/* One request of the kernel's protocol, put together, and what it may be about. Which requests
 * there are is kernel_requests.c's. */
#include "fuse_kernel_request.h"

#include "fs/inode.h"
#include <linux/fuse.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

void request_add(struct kernel *kernel, const void *bytes, size_t length)
{
	MUST(length <= KERNEL_REQUEST_MAX - kernel->length);
	if (length)
		memcpy(kernel->request + kernel->length, bytes, length);
	kernel->length += length;
}

void request_add_text(struct kernel *kernel, const char *text)
{
	request_add(kernel, text, strlen(text) + 1);
}

static struct kernel_pending *pending_new(struct kernel *kernel)
{
	for (unsigned i = 0; i < KERNEL_PENDING; i++)
		if (!kernel->pending[i].unique)
			return &kernel->pending[i];
	return NULL;
}

/* NULL: too many are waiting, as a kernel has such a limit too. */
struct kernel_pending *request_begin(struct kernel *kernel, uint32_t opcode, uint64_t number)
{
	static const uint32_t users[] = {0, 0, 1000};
	struct kernel_pending *pending = pending_new(kernel);
	uint8_t who = input_byte(kernel->input);
	struct fuse_in_header header = {
		.opcode = opcode, .nodeid = number, .uid = users[who % 3], .gid = 0};

	if (!pending)
		return NULL;
	/* Our own process, one in another namespace, one that never was. */
	header.pid = who / 4 % 4 == 0 ? (uint32_t)getpid() : who / 4 % 4 == 1 ? 1u << 22 : 0;
	header.unique = kernel->unique += 2;
	*pending = (struct kernel_pending){
		.unique = header.unique, .number = number, .opcode = opcode};
	kernel->length = 0;
	request_add(kernel, &header, sizeof header);
	return pending;
}

void request_finish(struct kernel *kernel)
{
	uint32_t length = (uint32_t)kernel->length;

	memcpy(kernel->request, &length, sizeof length);
}

/* --- what it is about */

uint64_t some_node(struct kernel *kernel)
{
	unsigned which = input_number(kernel->input, KERNEL_NODES + 8);

	if (which < kernel->node_count)
		return kernel->nodes[which];
	return which >= KERNEL_NODES ? which - KERNEL_NODES + 1 : FUSE_ROOT_ID;
}

/* Anything but `.`, `..`, nothing, and what has a slash: the kernel keeps those to itself. */
void some_name(struct kernel *kernel, char name[static 1024])
{
	static const char *const names[] = {
		"NAME",	  "OLD1",	 "OLD2",      "prod",	 "account",   "usr_new", "actions",
		".x.tmp", "tmpabcdefgh", ".NAME.swp", ".env",	 ".sstorefs", "status",	 "%2F",
		"a%2fb",  "NAME~1",	 "\xff\xfe",  "refresh", "NEW"};
	unsigned which = input_number(kernel->input, COUNT(names) + 3);

	if (which < COUNT(names)) {
		strcpy(name, names[which]);
	} else if (which == COUNT(names)) {
		memset(name, 'n', 256);
		name[255 + (input_byte(kernel->input) & 1)] = '\0';
	} else {
		input_text(kernel->input, name, 64);
		for (char *byte = name; *byte; byte++)
			if (*byte == '/')
				*byte = '_';
		if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
			strcpy(name, "NAME");
	}
}

struct kernel_handle *some_handle(struct kernel *kernel, bool directory)
{
	unsigned begin = input_number(kernel->input, KERNEL_HANDLES - 1);

	for (unsigned i = 0; i < KERNEL_HANDLES; i++) {
		struct kernel_handle *handle = &kernel->handles[(begin + i) % KERNEL_HANDLES];

		if (handle->number && handle->directory == directory)
			return handle;
	}
	return NULL;
}

/* A request on an open file or directory. */
struct kernel_pending *request_begin_on(struct kernel *kernel, uint32_t opcode, bool directory)
{
	struct kernel_handle *handle = some_handle(kernel, directory);
	struct kernel_pending *pending =
		handle ? request_begin(kernel, opcode, handle->number) : NULL;

	if (!pending)
		return NULL;
	pending->handle = handle;
	handle->pending++;
	return pending;
}
