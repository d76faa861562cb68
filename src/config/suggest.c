/* Recognizes mistyped words. */
#include <ctype.h>
#include <string.h>

#include "options.h"

/* Capitals count as small letters, and '-' as '_'. */
static bool same(char one, char other)
{
	return tolower((unsigned char)(one == '-' ? '_' : one)) ==
	       tolower((unsigned char)(other == '-' ? '_' : other));
}

bool is_typo_of(const char *typed, size_t length, const char *meant)
{
	size_t other = strlen(meant), least = length < other ? length : other;
	size_t before = 0, behind = 0;

	while (before < least && same(typed[before], meant[before]))
		before++;
	while (behind < least - before &&
	       same(typed[length - 1 - behind], meant[other - 1 - behind]))
		behind++;
	if (length == other && length - before - behind == 2)
		return same(typed[before], meant[before + 1]) &&
		       same(typed[before + 1], meant[before]);
	return length - before - behind <= 1 && other - before - behind <= 1;
}

static void explain_scope(const char *const *known, const char *scope, size_t length,
			  struct buffer *line)
{
	buffer_printf(line, "scopes=: '%.*s' is no scope that is known:", (int)length, scope);
	for (const char *const *meant = known; *meant; meant++)
		if (is_typo_of(scope, length, *meant)) {
			buffer_printf(line, " did you mean '%s'?", *meant);
			return;
		}
	for (const char *const *other = known; *other; other++)
		buffer_printf(line, "%s %s", other == known ? "" : ",", *other);
	buffer_puts(line, " are; new secrets may be refused");
}

static bool is_known(const char *const *known, const char *scope, size_t length)
{
	while (*known && (strlen(*known) != length || memcmp(*known, scope, length) != 0))
		known++;
	return *known != NULL;
}

bool config_explain_scopes(const struct config *config, struct buffer *line)
{
	const char *const *known = config->provider ? config->provider->known_scopes : NULL;
	const char *scope = known ? config->scopes : NULL;

	for (; scope && *scope; scope += strspn(scope, ":")) {
		size_t length = strcspn(scope, ":");

		if (length > 0 && !is_known(known, scope, length)) {
			explain_scope(known, scope, length, line);
			return true;
		}
		scope += length;
	}
	return false;
}
