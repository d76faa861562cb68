#pragma once

#include <stdbool.h>

/*
 * How a service meters calls, beside what its responses say. A change is every call but a GET.
 * All zero: reads and changes share the budget that responses announce, and nothing else limits
 * them.
 */
struct rate_rules {
	bool reads_unmetered;	   /* what limits changes never limits reads */
	bool one_change_at_a_time; /* the next change is sent once the last one was answered */
	unsigned unpaced_changes;  /* so many in 60 seconds are sent as they come, others one a
				      second;  0: all are */
	unsigned changes_a_minute; /* most changes in any 60 seconds; 0: no such limit */
	unsigned points_a_minute;  /* the same in points; 0: no such limit */
	unsigned points_of_read, points_of_change;
};
