#pragma once

#include "cache/listing.h"

/* Starts a walk of the listing in the background, unless one runs, failed a moment ago, or would
 * come too soon after the last one. */
void listing_refresh(struct listing *listing);

/* Ends the walk and the queries of the listing, then the listing itself. */
void listing_close(struct listing *listing);
