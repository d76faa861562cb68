#ifndef SSTOREFS_BASE_UTF8_H
#define SSTOREFS_BASE_UTF8_H

#include <stddef.h>

/* Bytes of the well-formed UTF-8 character that `text` begins with; 0 if it begins with none. `length` is at least 1. */
size_t utf8_character(const void *text, size_t length);

#endif
