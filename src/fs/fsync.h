#pragma once

struct fs;

/*
 * FSYNC requests that wait.
 */

/* Ends every FSYNC that waits, because the mount is gone. Uploads go on. */
void fsyncs_abandon(struct fs *fs);
