/* `.sstorefs/metrics`: the figures of a mount in Prometheus' text format 0.0.4. */
#include "control.h"
#include "file.h"
#include "fs_internal.h"
#include "value.h"

enum kind { COUNTER, GAUGE };

/* A family's two lines of introduction; its samples have to follow. */
static void introduce(struct buffer *text, const char *name, enum kind kind, const char *help)
{
	static const char *const kinds[] = {[COUNTER] = "counter", [GAUGE] = "gauge"};

	buffer_printf(text, "# HELP sstorefs_%s %s\n# TYPE sstorefs_%s %s\n", name, help, name,
		      kinds[kind]);
}

/* A label's value: backslash, quote and line break are escaped, all else stands as it is. */
static void print_label(struct buffer *text, const char *value)
{
	buffer_puts(text, "\"");
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			buffer_puts(text, "\\");
		if (*value == '\n')
			buffer_puts(text, "\\n");
		else
			buffer_append(text, value, 1);
	}
	buffer_puts(text, "\"");
}

/* --- single figures
 * --------------------------------------------------------------------------------------------------------------
 */

/* Where a figure comes from. */
struct sources {
	const struct fs *fs;
	const struct net_counts *net;
	const struct catalog_counts *catalog;
	uint64_t now;
};

static double attempts(const struct sources *sources)
{
	return (double)sources->net->attempts;
}

static double retries(const struct sources *sources)
{
	return (double)sources->net->retries;
}

static double hits(const struct sources *sources)
{
	return (double)sources->catalog->hits;
}

static double misses(const struct sources *sources)
{
	return (double)sources->catalog->misses;
}

static double walks(const struct sources *sources)
{
	return (double)sources->catalog->walks;
}

static double pages(const struct sources *sources)
{
	return (double)sources->catalog->pages;
}

static double sealed_bytes(const struct sources *sources)
{
	return (double)sources->catalog->sealed_bytes;
}

static double started_at(const struct sources *sources)
{
	return (double)sources->fs->mounted_at / (double)NANOSECONDS;
}

static double is_reachable(const struct sources *sources)
{
	return sources->net->reachable;
}

static double token_is_accepted(const struct sources *sources)
{
	return !catalog_unauthorized(sources->fs->catalog);
}

static double answered_at(const struct sources *sources)
{
	return sources->net->last_response_at
		       ? (double)sources->net->last_response_wall / (double)NANOSECONDS
		       : 0;
}

static double transfers(const struct sources *sources)
{
	return (double)sources->net->running;
}

static double uploads(const struct sources *sources)
{
	return sources->fs->uploads;
}

static double open_handles(const struct sources *sources)
{
	unsigned count = 0;

	for (const struct file *file = sources->fs->first_file; file; file = file->next)
		for (const struct handle *handle = file->handles; handle; handle = handle->next)
			count++;
	return count;
}

static double staged(const struct sources *sources)
{
	return sources->fs->staged;
}

static double unsettled(const struct sources *sources)
{
	return sources->fs->kept_errors;
}

static double locked(const struct sources *sources)
{
	return (double)sources->fs->options.pool->held;
}

static double locked_max(const struct sources *sources)
{
	return (double)sources->fs->options.pool->cap;
}

static bool has_budget(const struct sources *sources)
{
	return sources->net->budget_remaining >= 0;
}

static double budget(const struct sources *sources)
{
	return (double)sources->net->budget_remaining;
}

static bool seals(const struct sources *sources)
{
	return sources->fs->provider->seals;
}

static double key_life(const struct sources *sources)
{
	uint64_t dies_at = catalog_key_expires_at(sources->fs->catalog);

	return dies_at > sources->now ? (double)(dies_at - sources->now) / 1000 : 0;
}

static const struct {
	const char *name;
	enum kind kind;
	double (*figure)(const struct sources *sources);
	bool (*applies)(const struct sources *sources); /* NULL: always */
	const char *help;
} figures[] = {
	{"start_time_seconds", GAUGE, started_at, NULL, "When this mount was made, since 1970."},
	{"attempts_total", COUNTER, attempts, NULL, "HTTP requests that were sent."},
	{"retries_total", COUNTER, retries, NULL, "Attempts that repeated one that had failed."},
	{"cache_hits_total", COUNTER, hits, NULL, "Names that were looked up in memory."},
	{"cache_misses_total", COUNTER, misses, NULL,
	 "Names for which the service had to be asked."},
	{"walks_total", COUNTER, walks, NULL,
	 "Listings that were fetched from their first page on."},
	{"pages_total", COUNTER, pages, NULL, "Pages of listings that came."},
	{"sealed_bytes_total", COUNTER, sealed_bytes, seals, "Bytes of values that were sealed."},
	{"reachable", GAUGE, is_reachable, NULL, "Whether the last request brought an answer."},
	{"token_accepted", GAUGE, token_is_accepted, NULL,
	 "Whether the service accepts the token."},
	{"last_answer_timestamp_seconds", GAUGE, answered_at, NULL,
	 "When the service last answered, since 1970; 0: never."},
	{"rate_limit_remaining", GAUGE, budget, has_budget,
	 "Calls that the service still allows, as it last told."},
	{"client_key_seconds_left", GAUGE, key_life, seals,
	 "How long the client key that is held can be used."},
	{"transfers", GAUGE, transfers, NULL, "HTTP requests that run now."},
	{"uploads", GAUGE, uploads, NULL, "Values on their way to the service now."},
	{"open_handles", GAUGE, open_handles, NULL, "Descriptors of secrets that are open now."},
	{"staged_files", GAUGE, staged, NULL,
	 "Files under temporary names that wait to be renamed."},
	{"unsettled_failures", GAUGE, unsettled, NULL,
	 "Secrets whose last write failed, and which nobody wrote since."},
	{"locked_bytes", GAUGE, locked, NULL, "Locked memory that values take up now."},
	{"locked_bytes_max", GAUGE, locked_max, NULL, "Locked memory that values may take up."},
};

static void print_figures(struct buffer *text, const struct sources *sources)
{
	for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
		if (figures[i].applies && !figures[i].applies(sources))
			continue;
		introduce(text, figures[i].name, figures[i].kind, figures[i].help);
		buffer_printf(text, "sstorefs_%s %.15g\n", figures[i].name,
			      figures[i].figure(sources));
	}
}

/* --- figures for each operation
 * --------------------------------------------------------------------------------------------------
 */

static double calls(const struct catalog_counts *counts, enum operation operation)
{
	return (double)counts->calls[operation];
}

static double failed(const struct catalog_counts *counts, enum operation operation)
{
	return (double)counts->failed[operation];
}

static double seconds(const struct catalog_counts *counts, enum operation operation)
{
	return (double)counts->milliseconds[operation] / 1000;
}

static const struct {
	const char *name;
	double (*figure)(const struct catalog_counts *counts, enum operation operation);
	const char *help;
} operation_figures[] = {
	{"calls_total", calls, "Calls that were begun, each with all its attempts."},
	{"calls_failed_total", failed, "Calls that failed."},
	{"call_seconds_total", seconds, "Time that calls took."},
};

static void print_operations(struct buffer *text, const struct sources *sources)
{
	for (size_t i = 0; i < sizeof operation_figures / sizeof *operation_figures; i++) {
		introduce(text, operation_figures[i].name, COUNTER, operation_figures[i].help);
		for (enum operation operation = 0; operation < OPERATION_COUNT; operation++)
			if (sources->fs->provider->operations[operation].build_request)
				buffer_printf(
					text, "sstorefs_%s{operation=\"%s\"} %.15g\n",
					operation_figures[i].name,
					catalog_operation_name(operation),
					operation_figures[i].figure(sources->catalog, operation));
	}
}

/* --- figures for each listing
 * ----------------------------------------------------------------------------------------------------
 */

static bool was_completed(const struct listing_status *listing)
{
	return listing->age != CLOCK_NEVER;
}

static double entries(const struct listing_status *listing)
{
	return (double)listing->entries;
}

static double age(const struct listing_status *listing)
{
	return (double)listing->age / 1000;
}

static double is_stale(const struct listing_status *listing)
{
	return listing->stale;
}

static double left_out(const struct listing_status *listing)
{
	return (double)listing->names_too_long;
}

static const struct listing_figure {
	const char *name;
	double (*figure)(const struct listing_status *listing);
	bool (*applies)(const struct listing_status *listing); /* NULL: always */
	const char *help;
} listing_figures[] = {
	{"listing_entries", entries, NULL,
	 "Entries of a listing that is remembered; no store: the listing of stores."},
	{"listing_age_seconds", age, was_completed, "Time since it was fetched."},
	{"listing_stale", is_stale, NULL,
	 "Whether it is past its time and could not be fetched anew."},
	{"listing_left_out", left_out, NULL, "Names over 255 bytes, which it leaves out."},
};

struct listings {
	struct buffer *text;
	const struct listing_figure *figure;
};

static void print_listing(void *context, const struct listing_status *listing)
{
	const struct listings *listings = context;

	if (listings->figure->applies && !listings->figure->applies(listing))
		return;
	buffer_printf(listings->text, "sstorefs_%s{store=", listings->figure->name);
	print_label(listings->text, listing->name ? listing->name : "");
	buffer_printf(listings->text, "} %.15g\n", listings->figure->figure(listing));
}

static void print_listings(struct buffer *text, struct fs *fs)
{
	struct listings listings = {.text = text};

	for (size_t i = 0; i < sizeof listing_figures / sizeof *listing_figures; i++) {
		listings.figure = &listing_figures[i];
		introduce(text, listings.figure->name, GAUGE, listings.figure->help);
		catalog_each_listing(fs->catalog, print_listing, &listings);
	}
}

void metrics_print(struct fs *fs, struct buffer *text)
{
	const struct sources sources = {.fs = fs,
					.net = catalog_net_counts(fs->catalog),
					.catalog = catalog_counts(fs->catalog),
					.now = loop_now(fs->loop)};

	introduce(text, "info", GAUGE, "What is mounted.");
	buffer_puts(text, "sstorefs_info{version=\"" SSTOREFS_VERSION "\",service=");
	print_label(text, fs->provider->name);
	buffer_puts(text, ",source=");
	print_label(text, fs->config->source);
	buffer_puts(text, "} 1\n");
	print_figures(text, &sources);
	print_operations(text, &sources);
	print_listings(text, fs);
}
