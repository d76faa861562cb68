/* Credentials as header lines, in locked memory. */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"

int auth_header_append(struct locked *lines, const char *beginning, const char *text)
{
	const char *byte;
	int failed;

	for (byte = text; *byte; byte++)
		if ((unsigned char)*byte <= ' ' || (unsigned char)*byte >= 0x7f)
			return -EINVAL;
	failed = locked_append(lines, beginning, strlen(beginning));
	if (!failed)
		failed = locked_append(lines, text, strlen(text) + 1);
	return failed;
}

int authorize_bearer(const struct credentials *credentials, struct locked *lines)
{
	return auth_header_append(lines, "Authorization: Bearer ", credentials->token);
}
