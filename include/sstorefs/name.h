#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sstorefs/buffer.h"

/*
 * Names as a file system can show them. Everything above the providers holds displayed names, as
 * NUL-terminated strings; providers decode them when a request is built and encode them when an
 * answer is read.
 *
 * Encoded as %XX, upper case: '/', control bytes (0-31, 127), the names "." and ".." (their dots),
 * a '%' before two hex digits, and the first byte of ".sstorefs". Only this spelling
 * exists.
 */
#define NAME_LENGTH_MAX 255

/* Appends the displayed form of `length` bytes at `raw`. Returns 0, -EILSEQ if they are not UTF-8,
 * -EINVAL when empty, -ENAMETOOLONG when the displayed form is over NAME_LENGTH_MAX, -ENOMEM.
 * Appends nothing on failure. */
int name_display(struct buffer *displayed, const char *raw, size_t length);

/* Appends the raw bytes (they may contain NUL) behind a displayed name. Returns 0, -EINVAL if the
 * spelling is not the canonical one or not UTF-8, -ENOMEM. */
int name_decode(struct buffer *raw, const char *displayed);

/* Appends NAME~ID, as the second of two things with one displayed name is shown; an id may have any
 * bytes. Returns 0 or the errors of both above. */
int name_with_id(struct buffer *displayed, const char *name, const char *id);

/* Whether a lookup of `displayed` can ever succeed: canonical spelling, UTF-8, at most
 * NAME_LENGTH_MAX. */
bool name_is_canonical(const char *displayed);

/* The same, and whether the decoded name has only characters of `alphabet`, which are ASCII. */
bool name_matches_alphabet(const char *displayed, const char *alphabet);

/* Whether `length` bytes are well-formed UTF-8 (no surrogates, nothing above U+10FFFF, no overlong
 * forms; NUL is fine). */
bool utf8_is_valid(const void *text, size_t length);

/* True if they can become well-formed UTF-8 when more bytes follow. */
bool utf8_is_prefix(const void *text, size_t length);

/* Bytes of the well-formed characters that `text` begins with. */
size_t utf8_valid_prefix(const void *text, size_t length);

/* Characters in valid UTF-8. */
size_t utf8_length(const void *text, size_t length);
