/* The page walker and the listing that it fills, over answers of any kind: it ends, and what is
 * shown afterwards can be shown. */
#include <string.h>

#include "scripted_transport.h"
#include "sstorefs/catalog.h"
#include "sstorefs/name.h"

static const struct provider *const providers[] = {&provider_fastly, &provider_cloudflare,
						   &provider_stripe, &provider_github,
						   &provider_github_organization};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* A reader of a directory while it is being walked, and again later. */
struct reader {
	struct scripted_net scripted;
	struct input *input;
	struct catalog *catalog;
	struct listing *listing;
	struct store *store; /* whose listing it is, referenced; NULL: it is the stores' */
	struct snapshot *view;
	struct lookup lookup;
	bool lookup_runs, probed;
	unsigned views;
};

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count, (void)arguments;
	quiet();
	return 0;
}

static void check_view(struct reader *reader)
{
	const struct record *record;
	uint64_t position = 0, before = 0;
	unsigned count = 0;

	while ((record = snapshot_next(reader->view, &position))) {
		struct entry_text text;
		struct entry entry;

		MUST(position > before);
		before = position;
		MUST(name_is_canonical(record->name));
		record_entry(record, &entry, &text);
		MUST(!strcmp(entry.name, record->name));
		MUST(count++ < 100000);
	}
	MUST(snapshot_align_position(reader->view, input_byte(reader->input)) != UINT64_MAX);
}

static void stop_looking(struct reader *reader)
{
	if (reader->view)
		check_view(reader);
	snapshot_release(reader->view);
	reader->view = NULL;
}

static void on_lookup(struct lookup *lookup)
{
	struct reader *reader = container_of(lookup, struct reader, lookup);

	MUST(!lookup->failure.errnum == (lookup->record != NULL));
	reader->lookup_runs = false;
}

static void open_view(struct reader *reader)
{
	struct failure failure = {0};

	stop_looking(reader);
	reader->view = listing_open_view(reader->listing, &failure);
	MUST(!reader->view == (failure.errnum != 0));
	reader->views++;
}

static void look_up(struct reader *reader)
{
	if (reader->lookup_runs)
		return;
	reader->lookup_runs = true;
	reader->lookup = (struct lookup){.deadline = loop_now(reader->scripted.loop) + 30000,
					 .done = on_lookup};
	reader->lookup.bypass_cache = input_byte(reader->input) & 1;
	strcpy(reader->lookup.name, input_byte(reader->input) & 1 ? "OLD1" : "NEW");
	lookup_start(reader->listing, &reader->lookup);
}

/* A local change in the middle of a walk. */
static void change(struct reader *reader)
{
	const struct entry entry = {.name = "OLD2",
				    .id = "appsecret_3",
				    .digest = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
				    .created_at = TIME_UNKNOWN,
				    .modified_at = TIME_UNKNOWN,
				    .expires_at = TIME_UNKNOWN,
				    .livemode = -1};
	uint8_t how = input_byte(reader->input);

	if (how % 3 == 0)
		MUST(listing_local_put(reader->listing, &entry, 0));
	else if (how % 3 == 1)
		listing_local_delete(reader->listing, "OLD1");
	else
		listing_invalidate(reader->listing, "OLD3", 0);
}

/* Names the listing of another directory: the stores, or the secrets of the first of them. */
static void change_directory(struct reader *reader)
{
	struct listing *stores = catalog_stores(reader->catalog);
	const struct record *record;

	if (reader->lookup_runs)
		return;
	stop_looking(reader);
	store_release(reader->store);
	reader->store = NULL;
	reader->listing = stores;
	if (input_byte(reader->input) & 1 &&
	    (listing_query(stores, "prod", &record) == CACHE_HIT ||
	     listing_query(stores, "account", &record) == CACHE_HIT ||
	     listing_query(stores, "actions", &record) == CACHE_HIT)) {
		reader->store = store_reference(catalog_store(reader->catalog, record));
		reader->listing = store_secrets(reader->store);
	}
}

static bool event(void *context)
{
	static void (*const actions[])(struct reader *) = {open_view, open_view, look_up, change,
							   change_directory};
	struct reader *reader = context;
	uint8_t which;

	if (!reader->probed || !reader->input->left)
		return false;
	which = input_byte(reader->input) % (COUNT(actions) + 1);
	if (which == COUNT(actions))
		catalog_refresh(reader->catalog);
	else
		actions[which](reader);
	return true;
}

static bool waits(void *context)
{
	struct reader *reader = context;

	return reader->lookup_runs || (reader->view && snapshot_is_filling(reader->view)) ||
	       !reader->probed;
}

static void probed(void *context, const struct failure *failure)
{
	struct reader *reader = context;

	(void)failure;
	reader->probed = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct reader reader = {.input = &input};
	uint8_t how = input_byte(&input);
	struct catalog_options options = {.provider = providers[how % COUNT(providers)],
					  .account = "0123456789abcdef0123456789abcdef",
					  .ttl = how & 64 ? 0 : 60000,
					  .negative_ttl = 5000,
					  .timeout = 30000,
					  .minimal = how & 128,
					  .signing_key = service_signing_key()};
	struct loop *loop;

	scripted_time_begin();
	same_again();
	MUST(!loop_new(&loop));
	scripted_net_init(&reader.scripted, loop, &input, options.provider);
	reader.scripted.event = event;
	reader.scripted.waits = waits;
	reader.scripted.context = &reader;
	MUST(!catalog_new(&reader.catalog, loop, &reader.scripted.net, &options));
	reader.listing = catalog_stores(reader.catalog);
	catalog_probe(reader.catalog, false, probed, &reader);
	MUST(!loop_run(loop));
	MUST(!reader.lookup_runs && reader.probed);
	stop_looking(&reader);
	store_release(reader.store);
	catalog_free(reader.catalog);
	scripted_net_finish(&reader.scripted);
	loop_free(loop);
	return 0;
}
