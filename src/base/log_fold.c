/* Keeps the log short: counts a line that repeats, and limits how many lines a second a process can
 * cause. */
#include "log_fold.h"

#include <stdlib.h>
#include <string.h>

#include "sstorefs/clock.h"

#define LINES	  32   /* that are remembered: several programs that fail take turns */
#define REPEAT_MS 5000 /* a line that repeats is said once in so many milliseconds */
#define BURST	  1000 /* lines that may be left out: so many at once, */
#define RATE	  100  /* and so many a second */

struct folded {
	char *line; /* NULL: not used */
	int priority;
	uint64_t written_at, used, repeats;
};

static struct {
	struct log_fold_reporters reporters;
	struct folded lines[LINES];
	uint64_t uses;
	struct loop *loop;
	struct timer timer;
	uint64_t allowance, allowed_at; /* thousandths of a line */
	uint64_t left_out;
} fold;

static void tell_repeats(struct folded *folded)
{
	uint64_t repeats = folded->repeats;

	if (!repeats)
		return;
	folded->repeats = 0;
	folded->written_at = clock_boottime();
	fold.reporters.repeat(folded->priority, folded->line, repeats);
}

void log_fold_tell(void)
{
	uint64_t left_out = fold.left_out;

	for (size_t i = 0; i < LINES; i++)
		tell_repeats(&fold.lines[i]);
	fold.left_out = 0;
	if (left_out)
		fold.reporters.left_out(left_out);
}

static void timer_expired(struct timer *timer)
{
	(void)timer;
	log_fold_tell();
}

static void tell_later(void)
{
	if (fold.loop && !fold.timer.position)
		timer_start(fold.loop, &fold.timer, clock_boottime() + REPEAT_MS);
}

void log_fold_init(const struct log_fold_reporters *reporters)
{
	fold.reporters = *reporters;
	fold.timer.expired = timer_expired;
}

void log_fold_attach(struct loop *loop)
{
	if (fold.loop)
		timer_stop(fold.loop, &fold.timer);
	fold.loop = loop;
	if (!loop)
		log_fold_tell();
}

/* The place of `line`: its own, a free one, or that of the line that was said longest ago. */
static struct folded *find_place(int priority, const char *line)
{
	struct folded *place = &fold.lines[0];

	for (size_t i = 0; i < LINES; i++) {
		struct folded *folded = &fold.lines[i];

		if (folded->line && folded->priority == priority && !strcmp(folded->line, line))
			return folded;
		if (place->line && (!folded->line || folded->used < place->used))
			place = folded;
	}
	tell_repeats(place);
	free(place->line);
	*place = (struct folded){.line = strdup(line), .priority = priority};
	return place;
}

/* True for a repetition, which is only counted. */
static bool repeats(struct folded *folded)
{
	uint64_t now = clock_boottime();

	folded->used = ++fold.uses;
	if (!folded->line)
		return false;
	if (folded->written_at && now - folded->written_at < REPEAT_MS) {
		folded->repeats++;
		tell_later();
		return true;
	}
	tell_repeats(folded);
	folded->written_at = now;
	return false;
}

static bool is_one_too_many(void)
{
	uint64_t now = clock_boottime();

	fold.allowance =
		fold.allowed_at ? fold.allowance + (now - fold.allowed_at) * RATE : BURST * 1000;
	fold.allowed_at = now;
	if (fold.allowance > BURST * 1000)
		fold.allowance = BURST * 1000;
	if (fold.allowance >= 1000) {
		fold.allowance -= 1000;
		return false;
	}
	fold.left_out++;
	tell_later();
	return true;
}

bool log_fold_passes(int priority, const char *line, bool may_be_left_out)
{
	return !repeats(find_place(priority, line)) && !(may_be_left_out && is_one_too_many());
}
