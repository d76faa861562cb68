/* `.sstorefs/metrics`: the figures of a mount in the text format 0.0.4 of Prometheus. */
#include "control.h"
#include "file.h"
#include "fs_internal.h"

enum kind { COUNTER, GAUGE };

/* A figure, and whether the service has it. */
struct figure {
	const char *name;
	enum kind kind;
	bool applies;
	double value;
	const char *help;
};

/* Prints the two lines that introduce a metric. Its samples must follow. */
static void introduce(struct buffer *text, const char *name, enum kind kind, const char *help)
{
	static const char *const kinds[] = {[COUNTER] = "counter", [GAUGE] = "gauge"};

	buffer_printf(text, "# HELP sstorefs_%s %s\n# TYPE sstorefs_%s %s\n", name, help, name,
		      kinds[kind]);
}

/* Prints the value of a label: backslash, quote and line break are escaped. */
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

static void print_mount(struct buffer *text, const struct fs *fs)
{
	const struct catalog_counts *counts = catalog_counts(fs->catalog);
	const struct net_counts *net = catalog_net_counts(fs->catalog);
	const struct locked_pool *pool = fs->options.pool;
	uint64_t key_ends = catalog_key_expires_at(fs->catalog), now = loop_now(fs->loop);
	const bool seals = fs->provider->seals;
	const struct figure figures[] = {
		{"start_time_seconds", GAUGE, true, (double)fs->mounted_at / (double)NANOSECONDS,
		 "When this mount was made, since 1970."},
		{"attempts_total", COUNTER, true, (double)net->attempts,
		 "HTTP requests that were sent."},
		{"retries_total", COUNTER, true, (double)net->retries,
		 "Attempts that repeated one that had failed."},
		{"cache_hits_total", COUNTER, true, (double)counts->hits,
		 "Names that were looked up in memory."},
		{"cache_misses_total", COUNTER, true, (double)counts->misses,
		 "Names for which the service had to be asked."},
		{"walks_total", COUNTER, true, (double)counts->walks,
		 "Listings that were fetched from their first page on."},
		{"pages_total", COUNTER, true, (double)counts->pages,
		 "Pages of listings that came."},
		{"sealed_bytes_total", COUNTER, seals, (double)counts->sealed_bytes,
		 "Bytes of values that were sealed."},
		{"reachable", GAUGE, true, net->reachable,
		 "Whether the last request brought an answer."},
		{"token_accepted", GAUGE, true, !catalog_unauthorized(fs->catalog),
		 "Whether the service accepts the token."},
		{"last_answer_timestamp_seconds", GAUGE, true,
		 net->last_response_at ? (double)net->last_response_wall / (double)NANOSECONDS : 0,
		 "When the service last answered, since 1970; 0: never."},
		{"rate_limit_remaining", GAUGE, net->budget_remaining >= 0,
		 (double)net->budget_remaining,
		 "Calls that the service still allows, as it last told."},
		{"client_key_seconds_left", GAUGE, seals,
		 key_ends > now ? (double)(key_ends - now) / 1000 : 0,
		 "How long the client key that is held can be used."},
		{"transfers", GAUGE, true, (double)net->running, "HTTP requests that run now."},
		{"uploads", GAUGE, true, fs->uploads, "Values on their way to the service now."},
		{"open_handles", GAUGE, true, count_handles(fs),
		 "Descriptors of secrets that are open now."},
		{"staged_files", GAUGE, true, fs->staged,
		 "Files under temporary names that wait to be renamed."},
		{"unsettled_failures", GAUGE, true, fs->kept_errors,
		 "Secrets whose last write failed, and that were not written since."},
		{"locked_bytes", GAUGE, true, (double)pool->held,
		 "Locked memory that values take up now."},
		{"locked_bytes_max", GAUGE, true, (double)pool->cap,
		 "Locked memory that values may take up."},
	};

	for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
		if (!figures[i].applies)
			continue;
		introduce(text, figures[i].name, figures[i].kind, figures[i].help);
		buffer_printf(text, "sstorefs_%s %.15g\n", figures[i].name, figures[i].value);
	}
}

static void print_operations(struct buffer *text, const struct fs *fs)
{
	const struct catalog_counts *counts = catalog_counts(fs->catalog);
	const struct {
		const char *name;
		const uint64_t *values; /* one for each operation */
		double unit;
		const char *help;
	} figures[] = {
		{"calls_total", counts->calls, 1,
		 "Calls that were begun, each with all its attempts."},
		{"calls_failed_total", counts->failed, 1, "Calls that failed."},
		{"call_seconds_total", counts->milliseconds, 1000, "Time that calls took."},
	};

	for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
		introduce(text, figures[i].name, COUNTER, figures[i].help);
		for (enum operation operation = 0; operation < OPERATION_COUNT; operation++)
			if (fs->provider->operations[operation].build_request)
				buffer_printf(text, "sstorefs_%s{operation=\"%s\"} %.15g\n",
					      figures[i].name, catalog_operation_name(operation),
					      (double)figures[i].values[operation] /
						      figures[i].unit);
	}
}

/* The figures of a listing, printed for all listings one after the other. */
static const struct {
	const char *name, *help;
} listing_figures[] = {
	{"listing_entries",
	 "Entries of a listing that is remembered; no store: the listing of stores."},
	{"listing_age_seconds", "Time since it was fetched."},
	{"listing_stale", "Whether it is past its time and could not be fetched anew."},
	{"listing_left_out", "Names over 255 bytes, which it leaves out."},
};

struct listing_printer {
	struct buffer *text;
	size_t figure;
};

static void print_listing(void *context, const struct listing_status *listing)
{
	const struct listing_printer *printer = context;
	const double values[] = {(double)listing->entries, (double)listing->age / 1000,
				 listing->stale, (double)listing->names_too_long};

	if (printer->figure == 1 && listing->age == CLOCK_NEVER)
		return;
	buffer_printf(printer->text, "sstorefs_%s{store=", listing_figures[printer->figure].name);
	print_label(printer->text, listing->name ? listing->name : "");
	buffer_printf(printer->text, "} %.15g\n", values[printer->figure]);
}

void metrics_print(struct fs *fs, struct buffer *text)
{
	struct listing_printer printer = {.text = text};

	introduce(text, "info", GAUGE, "What is mounted.");
	buffer_puts(text, "sstorefs_info{version=\"" SSTOREFS_VERSION "\",service=");
	print_label(text, fs->provider->name);
	buffer_puts(text, ",source=");
	print_label(text, fs->config->source);
	buffer_puts(text, "} 1\n");
	print_mount(text, fs);
	print_operations(text, fs);
	for (; printer.figure < sizeof listing_figures / sizeof *listing_figures;
	     printer.figure++) {
		introduce(text, listing_figures[printer.figure].name, GAUGE,
			  listing_figures[printer.figure].help);
		catalog_each_listing(fs->catalog, print_listing, &printer);
	}
}
