/* Recognizes a mistyped word. */
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
