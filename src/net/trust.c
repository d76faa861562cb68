/*
 * The certificate authorities of cacert=. libcurl is given their certificates and not the file's
 * name: by a name it would know them for a day, go on using connections that they do not vouch for
 * any more, and resume TLS sessions without a look. It compares the certificates in all three
 * cases.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "net_internal.h"
#include "sstorefs/log.h"

/* More than all certificate authorities there are, in bytes. */
#define FILE_MAX (8u << 20)

static bool is_same_file(const struct stat *one, const struct stat *other)
{
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino &&
	       one->st_size == other->st_size &&
	       !memcmp(&one->st_mtim, &other->st_mtim, sizeof one->st_mtim) &&
	       !memcmp(&one->st_ctim, &other->st_ctim, sizeof one->st_ctim);
}

/* Reads the file to its end. Returns 0 or a negative errno. */
static int read_file(const char *path, struct buffer *content, struct stat *status)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), failed = fd < 0 ? -errno : 0;
	char piece[16384];
	ssize_t length = 1;

	if (!failed && fstat(fd, status))
		failed = -errno;
	while (!failed && length > 0) {
		length = read(fd, piece, sizeof piece);
		if (length < 0)
			failed = -errno;
		else if (content->length + (size_t)length > FILE_MAX)
			failed = -EFBIG;
		else
			buffer_append(content, piece, (size_t)length);
	}
	if (fd >= 0)
		close(fd);
	return failed ? failed : buffer_error(content);
}

int trust_read(struct net *net, struct failure *why)
{
	const char *path = net->options.cacert, *begin;
	struct trust *trust = &net->trust;
	struct buffer content = {0};
	struct stat status = {0};
	int failed = read_file(path, &content, &status);

	if (failed) {
		failure_set(why, EINVAL,
			    "the CA file %s can't be read: %s: give cacert= one that can", path,
			    strerror(-failed));
		goto fail;
	}
	begin = strstr(buffer_cstr(&content), "-----BEGIN ");
	if (!begin || !strstr(begin, "CERTIFICATE-----")) {
		failure_set(why, EINVAL,
			    "the CA file %s holds no PEM certificate: give cacert= one that does",
			    path);
		goto fail;
	}
	if (trust->certificates.length &&
	    (content.length != trust->certificates.length ||
	     memcmp(content.data, trust->certificates.data, content.length) != 0))
		log_line(LOG_NOTICE, "the CA file %s was read again and has changed", path);
	buffer_finish(&trust->certificates);
	trust->certificates = content;
	trust->status = status;
	return 0;

fail:
	buffer_finish(&content);
	trust->status = (struct stat){0};
	return -EINVAL;
}

int trust_refresh(struct net *net, struct failure *why)
{
	struct stat status;
	int failed;

	if (!net->options.cacert ||
	    (!stat(net->options.cacert, &status) && is_same_file(&status, &net->trust.status)))
		return 0;
	failed = trust_read(net, why);
	if (failed)
		why->errnum = EKEYREJECTED;
	return failed;
}

void net_reread_cacert(struct net *net)
{
	struct failure why = {0};

	if (net->options.cacert && trust_read(net, &why))
		log_line(LOG_ERR, "%s", why.message);
}
