#pragma once

#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed UTF-8 character that `text` begins with; 0 if it begins with none.
 * `length` is at least 1. */
size_t utf8_next(const void *text, size_t length);

/* The number of that character, which is `length` bytes long. */
uint32_t utf8_code(const void *text, size_t length);

/* The number that the first `count` of `left` bytes spell in hex digits; -1 if they are not digits,
 * or fewer. */
int hex_number(const void *text, size_t left, size_t count);
