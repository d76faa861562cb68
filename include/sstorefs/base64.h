#ifndef SSTOREFS_BASE64_H
#define SSTOREFS_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Size of the encoded form of `length` bytes, including the terminating NUL. */
#define BASE64_SIZE(length) (((length) + 2) / 3 * 4 + 1)

/*
 * Writes `length` bytes as base64 into `text`, which has room for BASE64_SIZE(length). For what
 * everybody may know only: its time depends on the bytes. libsodium's does not, and takes seven
 * times as long for it. Returns `text`.
 */
const char *base64_encode(char *text, const uint8_t *bytes, size_t length);

#endif
