#pragma once

#include "listing.h"

/*
 * Checks that records and listings are in one of the states that the tables above `struct record`
 * and `struct listing` allow, and abort otherwise. Nothing where NDEBUG is defined.
 */
#ifdef NDEBUG
#define record_check(listing, record) ((void)(listing), (void)(record))
#define listing_check(listing)	      ((void)(listing))
#else
/* Checks one record of `listing`, in constant time; NULL: none. */
void record_check(const struct listing *listing, const struct record *record);

/* Checks the listing and all its records: the time grows with their number. */
void listing_check(const struct listing *listing);
#endif
