/* Counts writes by their result, and values that were discarded. */
#include "write_counts.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

/* The errors of a write that may succeed when it is tried again as it is. */
static const int transient[] = {EIO,	 ETIMEDOUT, EHOSTUNREACH, EAGAIN,  ENOMEM,
				ENOBUFS, EINTR,	    ESHUTDOWN,	  ENOTCONN};

static enum write_result result_of(const struct failure *failure, bool unknown)
{
	if (!failure->errnum)
		return WRITE_STORED;
	if (unknown)
		return WRITE_UNKNOWN;
	for (size_t i = 0; i < sizeof transient / sizeof *transient; i++)
		if (failure->errnum == transient[i])
			return WRITE_FAILED;
	return WRITE_REFUSED;
}

void count_write(struct write_counts *counts, const struct failure *failure, bool unknown)
{
	counts->results[result_of(failure, unknown)]++;
}

void count_open(struct write_counts *counts, int flags, int error)
{
	/* After ESTALE the kernel looks the name up and opens again; EEXIST answers the question of
	 * O_EXCL. */
	if (error && error != ESTALE && error != EEXIST && (flags & O_ACCMODE) != O_RDONLY)
		counts->results[WRITE_REFUSED_AT_OPEN]++;
}

const char *const write_result_names[] = {
	[WRITE_STORED] = "stored",   [WRITE_REFUSED_AT_OPEN] = "refused_at_open",
	[WRITE_REFUSED] = "refused", [WRITE_FAILED] = "failed",
	[WRITE_UNKNOWN] = "unknown",
};

const char *const discard_reason_names[] = {
	[DISCARD_KILLED] = "killed",
	[DISCARD_UNOBSERVED] = "unobserved",
	[DISCARD_NOT_RENAMED] = "not_renamed",
	[DISCARD_UNMOUNTED] = "unmounted",
};
