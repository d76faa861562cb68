#pragma once

#include "sstorefs/buffer.h"
#include "sstorefs/config.h"
#include "sstorefs/failure.h"

/* The steps of a check, in this order. */
enum step {
	STEP_DAEMON,  /* of a mount: it answers */
	STEP_TOKEN,   /* it is there and can be read */
	STEP_SERVICE, /* it can be reached, and answers sensibly */
	STEP_ACCESS,  /* it accepts the token */
	STEP_STORE,
	STEP_READ,  /* the store's secrets may be listed */
	STEP_KEY,   /* a client key came, and its signature is trusted */
	STEP_WRITE, /* secrets may be changed */
	STEP_COUNT,
};

/* Exit statuses beside 0 and 1 (usage); man/sstorefs.1.scd has them, too. */
enum {
	CHECK_TOKEN_UNUSABLE = 2,
	CHECK_UNREACHABLE = 3,
	CHECK_TOKEN_REFUSED = 4,
	CHECK_NO_STORE = 5,
	CHECK_NO_READ = 6,
	CHECK_KEY_REJECTED = 7,
	CHECK_NO_WRITE = 8,
	CHECK_NO_DAEMON = 9,
};

struct check_report {
	int status;		      /* of the first step that failed; 0: none did */
	int64_t rate_limit_remaining; /* -1: not known */
	bool open_to_root;	      /* place_is_open_to_root; one line more, and no failure */
	uint64_t began_at;	      /* the step under way, CLOCK_BOOTTIME in milliseconds */
	struct check_result {
		const char *result; /* "good", "failed", "skipped"; NULL: it was not looked at */
		struct buffer says;
		uint64_t took; /* milliseconds */
		int http_status;
		char request_id[128];
	} steps[STEP_COUNT];
};

void report_begin(struct check_report *report);

/* Prints the report, in lines or with `config->json` as one object, and frees it. Returns its
 * status. */
int report_finish(struct check_report *report, const struct config *config);

/* Note the result of a step; the time since the step before is how long it took. */
void report_ok(struct check_report *report, enum step step, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void report_skip(struct check_report *report, enum step step, const char *why);
void report_failed(struct check_report *report, enum step step, const char *why);
/* Notes that the service rejected the call of a step. The status of the check may then be that of
 * an earlier step: the token is refused, or the service cannot be reached any more. */
void report_http_failed(struct check_report *report, enum step step, const struct failure *failure,
			const char *why);
