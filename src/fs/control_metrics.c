/* `.sstorefs/metrics`: the figures of a mount in the text format of Prometheus. */
#include <math.h>
#include <stddef.h>

#include "control.h"
#include "fs_internal.h"
#include "process_figures.h"

/* The figures of a mount. NAN: the service has no such figure, or it is not known. */
struct figures {
	double mounted_at, reachable, token_accepted, last_answer_at;
	double attempts, retries, rate_limited, rate_limit_remaining, rate_limit_resets_at;
	double hits, misses, walks, pages, not_modified, sealed_bytes, client_key_seconds_left;
	double transfers, uploads, open_handles, staged_files, unsettled_failures;
	double locked_bytes, locked_bytes_max;
	const uint64_t *results, *discarded, *calls, *failed_calls;
	const struct histogram *write_durations, *call_durations;
	struct process_figures process;
};

/* The figures of a listing. */
struct listing_figures {
	double entries, age, stale, left_out;
};

struct printer {
	struct fs *fs;
	struct buffer *text;
	struct buffer common; /* labels of all samples: source and mountpoint */
	struct buffer labels; /* of the next sample */
	struct figures figures;
	const struct metric *metric; /* that is printed */
};

/* A row of the table. */
struct metric {
	const char *name;
	enum metric_kind kind;
	void (*print)(struct printer *printer); /* prints the samples */
	size_t offset; /* of what it prints, in struct figures or struct listing_figures */
	const char *help;
};

static const void *figure(const struct printer *printer)
{
	return (const char *)&printer->figures + printer->metric->offset;
}

static void clear_label(struct printer *printer)
{
	buffer_clear(&printer->labels);
	buffer_append(&printer->labels, printer->common.data, printer->common.length);
}

/* Sets the label that tells the samples of a metric from each other. */
static void set_label(struct printer *printer, const char *name, const char *value)
{
	clear_label(printer);
	metric_label(&printer->labels, name, value);
}

/* Prints nothing for NAN. */
static void print_sample(struct printer *printer, double value)
{
	if (isnan(value))
		return;
	metric_sample(printer->text, printer->metric->name, buffer_cstr(&printer->labels), value);
}

static void print_histogram(struct printer *printer, const struct histogram *histogram)
{
	metric_histogram(printer->text, printer->metric->name, buffer_cstr(&printer->labels),
			 histogram);
}

static void print_value(struct printer *printer)
{
	print_sample(printer, *(const double *)figure(printer));
}

static void print_info(struct printer *printer)
{
	set_label(printer, "version", SSTOREFS_VERSION);
	metric_label(&printer->labels, "service", printer->fs->provider->name);
	print_sample(printer, 1);
}

/* Prints `count` numbers, one for each value of a label. */
static void print_numbers(struct printer *printer, const char *label, const char *const *names,
			  unsigned count)
{
	const uint64_t *numbers = *(const uint64_t *const *)figure(printer);

	for (unsigned i = 0; i < count; i++) {
		set_label(printer, label, names[i]);
		print_sample(printer, (double)numbers[i]);
	}
}

static void print_by_result(struct printer *printer)
{
	print_numbers(printer, "result", write_result_names, WRITE_RESULT_COUNT);
}

static void print_by_reason(struct printer *printer)
{
	print_numbers(printer, "reason", discard_reason_names, DISCARD_REASON_COUNT);
}

static void print_durations(struct printer *printer)
{
	print_histogram(printer, *(const struct histogram *const *)figure(printer));
}

/* Prints a sample for each operation that the service has: of the numbers at the metric's offset,
 * or where it has none of the durations of calls, as a histogram or in seconds. */
static void print_by_operation(struct printer *printer)
{
	const struct metric *metric = printer->metric;
	const struct histogram *durations = printer->figures.call_durations;

	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		if (!provider_has(printer->fs->provider, operation))
			continue;
		set_label(printer, "operation", catalog_operation_name(operation));
		if (metric->kind == METRIC_HISTOGRAM)
			print_histogram(printer, &durations[operation]);
		else if (metric->offset)
			print_sample(printer, (double)(*(const uint64_t *const *)figure(
						      printer))[operation]);
		else
			print_sample(printer, (double)durations[operation].sum / 1000);
	}
}

static void print_listing(void *context, const struct listing_status *listing)
{
	struct printer *printer = context;
	struct listing_figures figures = {
		.entries = (double)listing->entries,
		.age = listing->age == CLOCK_NEVER ? NAN : (double)listing->age / 1000,
		.stale = listing->stale,
		.left_out = (double)listing->names_too_long,
	};
	const void *figure = (const char *)&figures + printer->metric->offset;

	set_label(printer, "store", listing->name ? listing->name : "");
	print_sample(printer, *(const double *)figure);
}

static void print_by_listing(struct printer *printer)
{
	catalog_each_listing(printer->fs->catalog, print_listing, printer);
}

#define VALUE(member)	print_value, offsetof(struct figures, member)
#define PROCESS(member) print_value, offsetof(struct figures, process.member)
#define LISTING(member) print_by_listing, offsetof(struct listing_figures, member)

/*
 * All metrics. Names and help of those that begin with process_ are those of Prometheus' client
 * libraries: a node exporter that collects this file has the same of itself, and refuses all it
 * collects where the help of one name differs.
 */
static const struct metric metrics[] = {
	{"sstorefs_info", METRIC_GAUGE, print_info, 0, "What is mounted."},
	{"sstorefs_start_time_seconds", METRIC_GAUGE, VALUE(mounted_at),
	 "When this mount was made, since 1970."},
	{"sstorefs_writes_total", METRIC_COUNTER, print_by_result,
	 offsetof(struct figures, results),
	 "Writes of values by result; a write refused at open is not counted as begun."},
	{"sstorefs_write_duration_seconds", METRIC_HISTOGRAM, print_durations,
	 offsetof(struct figures, write_durations),
	 "Time from the publication of a value to its outcome."},
	{"sstorefs_values_discarded_total", METRIC_COUNTER, print_by_reason,
	 offsetof(struct figures, discarded), "Values that were wiped and never sent, by reason."},
	{"sstorefs_calls_total", METRIC_COUNTER, print_by_operation,
	 offsetof(struct figures, calls), "Calls that were begun, each with all its attempts."},
	{"sstorefs_calls_failed_total", METRIC_COUNTER, print_by_operation,
	 offsetof(struct figures, failed_calls),
	 "Calls that failed; a response that a name does not exist is no failure."},
	{"sstorefs_call_seconds_total", METRIC_COUNTER, print_by_operation, 0,
	 "Time that calls took."},
	{"sstorefs_call_duration_seconds", METRIC_HISTOGRAM, print_by_operation, 0,
	 "Time that a call took with all its attempts."},
	{"sstorefs_attempts_total", METRIC_COUNTER, VALUE(attempts),
	 "HTTP requests that were sent."},
	{"sstorefs_retries_total", METRIC_COUNTER, VALUE(retries),
	 "Attempts that repeated one that had failed."},
	{"sstorefs_rate_limited_total", METRIC_COUNTER, VALUE(rate_limited),
	 "Responses that refused a request for the rate limit (429)."},
	{"sstorefs_rate_limit_remaining", METRIC_GAUGE, VALUE(rate_limit_remaining),
	 "Calls that the service still allows, as it last reported."},
	{"sstorefs_rate_limit_reset_timestamp_seconds", METRIC_GAUGE, VALUE(rate_limit_resets_at),
	 "When the rate limit is filled again, since 1970, as the service last reported."},
	{"sstorefs_cache_hits_total", METRIC_COUNTER, VALUE(hits),
	 "Names that were looked up in memory."},
	{"sstorefs_cache_misses_total", METRIC_COUNTER, VALUE(misses),
	 "Names for which the service had to be asked."},
	{"sstorefs_walks_total", METRIC_COUNTER, VALUE(walks),
	 "Listings that were fetched from their first page on."},
	{"sstorefs_pages_total", METRIC_COUNTER, VALUE(pages),
	 "Pages of listings that were received."},
	{"sstorefs_pages_not_modified_total", METRIC_COUNTER, VALUE(not_modified),
	 "Pages of listings that were unchanged since they were received (304)."},
	{"sstorefs_sealed_bytes_total", METRIC_COUNTER, VALUE(sealed_bytes),
	 "Bytes of values that were sealed."},
	{"sstorefs_reachable", METRIC_GAUGE, VALUE(reachable),
	 "1 if the last request got a response."},
	{"sstorefs_token_accepted", METRIC_GAUGE, VALUE(token_accepted),
	 "1 if the service accepts the token."},
	{"sstorefs_last_answer_timestamp_seconds", METRIC_GAUGE, VALUE(last_answer_at),
	 "When the last response arrived, since 1970; 0: never."},
	{"sstorefs_client_key_seconds_left", METRIC_GAUGE, VALUE(client_key_seconds_left),
	 "How long the held client key is still valid."},
	{"sstorefs_transfers", METRIC_GAUGE, VALUE(transfers), "HTTP requests that run now."},
	{"sstorefs_uploads", METRIC_GAUGE, VALUE(uploads),
	 "Values on their way to the service now."},
	{"sstorefs_open_handles", METRIC_GAUGE, VALUE(open_handles),
	 "Descriptors of secrets that are open now."},
	{"sstorefs_staged_files", METRIC_GAUGE, VALUE(staged_files),
	 "Files under temporary names that wait to be renamed."},
	{"sstorefs_unsettled_failures", METRIC_GAUGE, VALUE(unsettled_failures),
	 "Secrets whose last write failed, and that were not written since."},
	{"sstorefs_locked_bytes", METRIC_GAUGE, VALUE(locked_bytes),
	 "Locked memory that values take up now."},
	{"sstorefs_locked_bytes_max", METRIC_GAUGE, VALUE(locked_bytes_max),
	 "Locked memory that values may take up."},
	{"sstorefs_listing_entries", METRIC_GAUGE, LISTING(entries),
	 "Entries of a cached listing; no store: the listing of stores."},
	{"sstorefs_listing_age_seconds", METRIC_GAUGE, LISTING(age),
	 "Time since a listing was fetched."},
	{"sstorefs_listing_stale", METRIC_GAUGE, LISTING(stale),
	 "1 if a listing is stale and its refresh failed."},
	{"sstorefs_listing_left_out", METRIC_GAUGE, LISTING(left_out),
	 "Names over 255 bytes, which a listing leaves out."},
	{"process_cpu_seconds_total", METRIC_COUNTER, PROCESS(cpu_seconds),
	 "Total user and system CPU time spent in seconds."},
	{"process_resident_memory_bytes", METRIC_GAUGE, PROCESS(resident_bytes),
	 "Resident memory size in bytes."},
	{"process_virtual_memory_bytes", METRIC_GAUGE, PROCESS(virtual_bytes),
	 "Virtual memory size in bytes."},
	{"process_open_fds", METRIC_GAUGE, PROCESS(open_fds), "Number of open file descriptors."},
	{"process_max_fds", METRIC_GAUGE, PROCESS(max_fds),
	 "Maximum number of open file descriptors."},
	{"process_start_time_seconds", METRIC_GAUGE, PROCESS(start_time),
	 "Start time of the process since unix epoch in seconds."},
};

static unsigned count_handles(const struct fs *fs)
{
	const struct handle *handle;
	const struct file *file;
	unsigned count = 0;

	TAILQ_FOREACH (file, &fs->files, link)
		LIST_FOREACH (handle, &file->handles, link)
			count++;
	return count;
}

static double seconds_of(wall_time_ns time)
{
	return (double)time / (double)NANOSECONDS;
}

static void read_calls(const struct fs *fs, struct figures *figures)
{
	const struct catalog_counts *calls = catalog_counts(fs->catalog);
	const struct net_counts *net = catalog_net_counts(fs->catalog);
	double now = (double)loop_now(fs->loop);
	double key_ends = (double)catalog_key_expires_at(fs->catalog);
	bool has_limit = net->budget_remaining >= 0;
	uint64_t refused_until = catalog_changes_refused_until(fs->catalog);
	uint64_t resets_at = refused_until ? refused_until : net->budget_resets_at;

	figures->calls = calls->calls;
	figures->failed_calls = calls->failed;
	figures->call_durations = calls->durations;
	figures->hits = (double)calls->hits;
	figures->misses = (double)calls->misses;
	figures->walks = (double)calls->walks;
	figures->pages = (double)calls->pages;
	figures->not_modified = (double)calls->not_modified;
	figures->sealed_bytes = fs->provider->seals ? (double)calls->sealed_bytes : NAN;
	figures->client_key_seconds_left = NAN;
	if (fs->provider->seals)
		figures->client_key_seconds_left = key_ends > now ? (key_ends - now) / 1000 : 0;
	figures->token_accepted = !catalog_unauthorized(fs->catalog);
	figures->reachable = net->reachable;
	figures->last_answer_at = net->last_response_at ? seconds_of(net->last_response_wall) : 0;
	figures->attempts = (double)net->attempts;
	figures->retries = (double)net->retries;
	figures->transfers = (double)net->running;
	figures->rate_limited = (double)net->rate_limited;
	figures->rate_limit_remaining = has_limit ? (double)net->budget_remaining : NAN;
	figures->rate_limit_resets_at = NAN;
	if (resets_at)
		figures->rate_limit_resets_at =
			seconds_of(clock_wall()) + ((double)resets_at - now) / 1000;
}

static void read_files(const struct fs *fs, struct figures *figures)
{
	const struct locked_pool *pool = fs->options.pool;

	figures->mounted_at = seconds_of(fs->mounted_at);
	figures->results = fs->writes.results;
	figures->discarded = fs->writes.discarded;
	figures->write_durations = &fs->writes.durations;
	figures->uploads = fs->uploads;
	figures->open_handles = count_handles(fs);
	figures->staged_files = fs->staged;
	figures->unsettled_failures = fs->kept_errors;
	figures->locked_bytes = (double)pool->held;
	figures->locked_bytes_max = (double)pool->cap;
}

static bool is_known(const struct printer *printer)
{
	return printer->metric->print != print_value || !isnan(*(const double *)figure(printer));
}

void metrics_print(struct fs *fs, struct buffer *text)
{
	struct printer printer = {.fs = fs, .text = text};

	metric_label(&printer.common, "source", fs->config->source);
	metric_label(&printer.common, "mountpoint", config_mountpoint_name(fs->config));
	read_calls(fs, &printer.figures);
	read_files(fs, &printer.figures);
	process_figures_read(&printer.figures.process);
	for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
		printer.metric = &metrics[i];
		if (!is_known(&printer))
			continue;
		metric_introduce(text, metrics[i].name, metrics[i].kind, metrics[i].help);
		clear_label(&printer);
		metrics[i].print(&printer);
	}
	text->failed |= buffer_error(&printer.labels) || buffer_error(&printer.common);
	buffer_finish(&printer.labels);
	buffer_finish(&printer.common);
}
