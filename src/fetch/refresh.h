#ifndef SSTOREFS_FETCH_REFRESH_H
#define SSTOREFS_FETCH_REFRESH_H

#include "cache/listing.h"

/*
 * When what is cached is asked for anew.
 */

/* Begins a refresh of the whole listing in the background, unless one runs or failed a moment ago.
 */
void listing_refresh(struct listing *listing);

/* Ends walks and queries of the listing, and the listing. */
void listing_close(struct listing *listing);

#endif
