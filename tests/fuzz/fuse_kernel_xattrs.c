/* Requests for extended attributes, made from the fuzzer's bytes. */
#include <linux/fuse.h>
#include <string.h>

#include "fuse_kernel_request.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void attribute_name(struct kernel *kernel, char name[static 1024])
{
	static const char *const names[] = {"user.digest",
					    "user.created_at",
					    "user.expires_at",
					    "user.scopes",
					    "user.comment",
					    "user.sstorefs.state",
					    "user.id",
					    "user.sstorefs.error",
					    "security.capability",
					    "user.modified_at",
					    "user.visibility",
					    "user.repositories",
					    "system.posix_acl_access",
					    "user.none"};
	unsigned which = input_number(kernel->input, COUNT(names));

	if (which < COUNT(names))
		strcpy(name, names[which]);
	else
		input_text(kernel->input, name, 64);
}

void request_getxattr(struct kernel *kernel)
{
	uint8_t how = input_byte(kernel->input);
	const struct fuse_getxattr_in in = {.size = how & 2   ? input_byte(kernel->input)
						    : how & 4 ? 65536
							      : 0};
	struct kernel_pending *pending =
		request_begin(kernel, how & 1 ? FUSE_GETXATTR : FUSE_LISTXATTR, some_node(kernel));
	char name[1024];

	if (!pending)
		return;
	pending->size = in.size;
	request_add(kernel, &in, sizeof in);
	if (how & 1) {
		attribute_name(kernel, name);
		request_add_text(kernel, name);
	}
	request_finish(kernel);
}

void request_setxattr(struct kernel *kernel)
{
	static const char *const values[] = {
		"a:b", "workers",  "a comment", "never", "2027-01-01T00:00:00Z",
		"all", "selected", "web",	""};
	unsigned which = input_number(kernel->input, COUNT(values));
	bool removes = input_byte(kernel->input) % 8 == 0;
	uint32_t in[2] = {0, 0}; /* the older, shorter form: size and flags */
	char name[1024], text[256];
	const char *value = which < COUNT(values) ? values[which]
						  : input_text(kernel->input, text, sizeof text);

	if (!request_begin(kernel, removes ? FUSE_REMOVEXATTR : FUSE_SETXATTR, some_node(kernel)))
		return;
	attribute_name(kernel, name);
	in[0] = (uint32_t)strlen(value);
	if (!removes)
		request_add(kernel, in, sizeof in);
	request_add_text(kernel, name);
	if (!removes)
		request_add(kernel, value, strlen(value));
	request_finish(kernel);
}
