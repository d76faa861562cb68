/*
 * A FUSE file system that does nothing: one directory of N files whose attributes come out of
 * arithmetic. What a program gets through it is the most that a file system on libfuse can give on
 * this machine at this moment.
 *
 *     nothing MOUNTPOINT FILES SECONDS
 *
 * The kernel may cache replies for so many seconds.
 */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORE	     "store"
#define NAME	     "SECRET_%07zu"
#define NAME_LENGTH  14
#define DIGITS_BEGIN 7

enum { STORE_INODE = 2, FILE_INODE };

static size_t files;
static double timeout;

static const char digest[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

static struct stat attributes_of(fuse_ino_t inode)
{
	return (struct stat){
		.st_ino = inode,
		.st_mode = inode < FILE_INODE ? S_IFDIR | 0700 : S_IFREG | 0200,
		.st_nlink = inode < FILE_INODE ? 2 : 1,
		.st_mtim.tv_sec = 1700000000,
	};
}

static struct fuse_entry_param entry_of(fuse_ino_t inode)
{
	return (struct fuse_entry_param){.ino = inode,
					 .attr = attributes_of(inode),
					 .attr_timeout = timeout,
					 .entry_timeout = timeout};
}

/* The inode of a name in a directory; 0: there is none. */
static fuse_ino_t find(fuse_ino_t parent, const char *name)
{
	size_t number;

	if (parent == FUSE_ROOT_ID)
		return strcmp(name, STORE) ? 0 : STORE_INODE;
	if (parent != STORE_INODE || strlen(name) != NAME_LENGTH)
		return 0;
	number = strtoul(name + DIGITS_BEGIN, NULL, 10);
	return number < files ? FILE_INODE + number : 0;
}

static void lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	fuse_ino_t inode = find(parent, name);
	struct fuse_entry_param entry = entry_of(inode);

	if (inode)
		fuse_reply_entry(request, &entry);
	else
		fuse_reply_err(request, ENOENT);
}

static void get_attributes(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	struct stat attributes = attributes_of(inode);

	(void)info;
	fuse_reply_attr(request, &attributes, timeout);
}

static void get_xattr(fuse_req_t request, fuse_ino_t inode, const char *name, size_t size)
{
	(void)inode;
	if (strcmp(name, "user.digest") != 0)
		fuse_reply_err(request, ENODATA);
	else if (size)
		fuse_reply_buf(request, digest, sizeof digest - 1);
	else
		fuse_reply_xattr(request, sizeof digest - 1);
}

static void open_directory(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	(void)inode;
	fuse_reply_open(request, info);
}

static void read_directory(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
			   struct fuse_file_info *info)
{
	size_t count = inode == STORE_INODE ? files : 1, used = 0;
	char *data = malloc(size);

	(void)info;
	for (size_t i = (size_t)offset; data && i < count; i++) {
		struct fuse_entry_param entry =
			entry_of(inode == STORE_INODE ? FILE_INODE + i : STORE_INODE);
		char name[32] = STORE;
		size_t needed;

		if (inode == STORE_INODE)
			snprintf(name, sizeof name, NAME, i);
		needed = fuse_add_direntry_plus(request, data + used, size - used, name, &entry,
						(off_t)i + 1);
		if (needed > size - used)
			break;
		used += needed;
	}
	fuse_reply_buf(request, data, used);
	free(data);
}

static void read_names(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
		       struct fuse_file_info *info)
{
	(void)inode;
	(void)size;
	(void)offset;
	(void)info;
	fuse_reply_err(request, ENOSYS); /* never asked for: there is readdirplus */
}

static void set_up(void *data, struct fuse_conn_info *connection)
{
	(void)data;
	connection->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
}

static const struct fuse_lowlevel_ops operations = {
	.init = set_up,
	.lookup = lookup,
	.getattr = get_attributes,
	.getxattr = get_xattr,
	.opendir = open_directory,
	.readdir = read_names,
	.readdirplus = read_directory,
};

int main(int argc, char **argv)
{
	struct fuse_args arguments = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *session;

	if (argc != 4)
		return fprintf(stderr, "usage: %s MOUNTPOINT FILES SECONDS\n", argv[0]), 2;
	files = strtoul(argv[2], NULL, 10);
	timeout = strtod(argv[3], NULL);
	session = fuse_session_new(&arguments, &operations, sizeof operations, NULL);
	if (!session || fuse_session_mount(session, argv[1]))
		return 1;
	fuse_session_loop(session);
	fuse_session_unmount(session);
	fuse_session_destroy(session);
	return 0;
}
