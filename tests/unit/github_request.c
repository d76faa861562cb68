/* GitHub's requests, byte for byte (doc/apis.md, GitHub 1 and 2). */
#include <stdlib.h>

#include "check.h"
#include "parsed.h"

#define HEADERS "\nAccept: application/vnd.github+json\nX-GitHub-Api-Version: 2022-11-28"
#define REPO	"/repos/octo/app"
#define ORG	"/orgs/octo-org"
#define PAGE	"?per_page=100&page="
#define JSON	"\napplication/json\n"
#define SEALED(text)                                                                               \
	.value = (const uint8_t *)(text), .value_length = sizeof(text) - 1,                        \
	.client_key = (const uint8_t *)"k", .client_key_id = "568"

static const struct provider *provider_of(const struct op_args *args)
{
	return strchr(args->account, '/') ? &provider_github : &provider_github_organization;
}

static void test_requests_are_what_the_service_takes(void **state)
{
	static const struct {
		struct op_args ask;
		const char *text;
	} cases[] = {
		{{.operation = OPERATION_LIST_STORES, .page = 2},
		 "GET " REPO "/environments" PAGE "2" HEADERS},
		{{.operation = OPERATION_FIND_STORE, .name = "a%2Fb c"},
		 "GET " REPO "/environments/a%2Fb%20c" HEADERS},
		{{.operation = OPERATION_FIND_STORE, .name = "dependabot"},
		 "GET " REPO "/dependabot/secrets" PAGE "1" HEADERS},
		{{.operation = OPERATION_CREATE_STORE, .name = "50%2525"},
		 "PUT " REPO "/environments/50%2525" HEADERS},
		{{.operation = OPERATION_DELETE_STORE, .store_id = "environments/a/b"},
		 "DELETE " REPO "/environments/a%2Fb" HEADERS},
		{{.operation = OPERATION_LIST_SECRETS, .store_id = "actions", .page = 3},
		 "GET " REPO "/actions/secrets" PAGE "3" HEADERS},
		{{.operation = OPERATION_LIST_SECRETS, .store_id = "environments/actions"},
		 "GET " REPO "/environments/actions/secrets" PAGE "1" HEADERS},
		{{.operation = OPERATION_FIND_SECRET,
		  .store_id = "environments/..",
		  .name = "NAME"},
		 "GET " REPO "/environments/%2E%2E/secrets/NAME" HEADERS},
		{{.operation = OPERATION_DELETE_SECRET, .store_id = "codespaces", .name = "NAME"},
		 "DELETE " REPO "/codespaces/secrets/NAME" HEADERS},
		{{.operation = OPERATION_CLIENT_KEY, .store_id = "agents"},
		 "GET " REPO "/agents/secrets/public-key" HEADERS},
		{{.operation = OPERATION_PUT_SECRET,
		  .mode = PUT_UPSERT,
		  .store_id = "environments/prod",
		  .name = "NAME",
		  SEALED("\1\2\3\4")},
		 "PUT " REPO "/environments/prod/secrets/NAME" HEADERS JSON
		 "{\"encrypted_value\":\"AQIDBA==\",\"key_id\":\"568\"}"},
		{{.operation = OPERATION_PUT_SECRET,
		  .mode = PUT_UPSERT,
		  .account = "octo-org",
		  .store_id = "actions",
		  .name = "NAME",
		  .visibility = "all",
		  SEALED("\1")},
		 "PUT " ORG "/actions/secrets/NAME" HEADERS JSON
		 "{\"encrypted_value\":\"AQ==\",\"key_id\":\"568\",\"visibility\":\"all\"}"},
		{{.operation = OPERATION_PUT_SECRET,
		  .mode = PUT_UPSERT,
		  .account = "octo-org",
		  .store_id = "actions",
		  .name = "NAME",
		  .visibility = "selected",
		  .repository_ids = "1,23",
		  SEALED("\1")},
		 "PUT " ORG "/actions/secrets/NAME" HEADERS JSON
		 "{\"encrypted_value\":\"AQ==\",\"key_id\":\"568\",\"visibility\":\"selected\",\"selected_repository_ids\":[1,23]}"},
		{{.operation = OPERATION_LIST_REPOSITORIES,
		  .account = "octo-org",
		  .store_id = "agents",
		  .name = "NAME",
		  .page = 2},
		 "GET " ORG "/agents/secrets/NAME/repositories" PAGE "2" HEADERS},
		{{.operation = OPERATION_FIND_REPOSITORY, .account = "octo-org", .name = "web.x"},
		 "GET /repos/octo-org/web.x" HEADERS},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct op_args args = cases[i].ask;

		args.account = args.account ? args.account : "octo/app";
		assert_request(provider_of(&args), &args, cases[i].text, false);
	}
}

static void test_what_makes_no_request_is_refused(void **state)
{
	static const struct op_args cases[] = {
		{.operation = OPERATION_LIST_SECRETS},
		{.operation = OPERATION_LIST_SECRETS, .store_id = ""},
		{.operation = OPERATION_LIST_SECRETS, .store_id = "other"},
		{.operation = OPERATION_LIST_SECRETS, .store_id = "environments/"},
		{.operation = OPERATION_DELETE_STORE, .store_id = "actions"},
		{.operation = OPERATION_FIND_SECRET, .store_id = "actions", .name = "a/b"},
		{.operation = OPERATION_PUT_SECRET,
		 .mode = PUT_CREATE,
		 .store_id = "actions",
		 .name = "NAME",
		 SEALED("v")},
		{.operation = OPERATION_PUT_SECRET,
		 .mode = PUT_REPLACE,
		 .store_id = "actions",
		 .name = "NAME",
		 SEALED("v")},
		/* Nothing is sent that is not sealed. */
		{.operation = OPERATION_PUT_SECRET,
		 .mode = PUT_UPSERT,
		 .store_id = "actions",
		 .name = "NAME",
		 .value = (const uint8_t *)"v",
		 .value_length = 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct op_args args = cases[i];

		args.account = "octo/app";
		assert_no_request(provider_of(&args), &args);
	}
}

static void test_names_that_the_service_takes(void **state)
{
	static const char *const good[] = {"NAME", "_", "A1", "GITHUB", "GITHUBX_"};
	static const char *const bad[] = {"",	      "name", "Name", "1A",  "GITHUB_",
					  "GITHUB_A", "A-B",  "A B",  "A.B", "\xc3\x84"};
	static const char *const stores[] = {"prod", "a%2Fb", "a b", "actions", "%2E", "50%2525"};
	static const char *const no_stores[] = {"",    ".",    "a/b",
						"%2f", "\xff", "actions~environments%2Factions"};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(provider_github.name_is_valid(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(provider_github.name_is_valid(bad[i]));
	for (size_t i = 0; i < COUNT(stores); i++)
		assert_true(provider_github.store_name_is_valid(stores[i]));
	for (size_t i = 0; i < COUNT(no_stores); i++)
		assert_false(provider_github.store_name_is_valid(no_stores[i]));
	assert_true(provider_github_organization.store_name_is_valid("agents"));
	assert_false(provider_github_organization.store_name_is_valid("prod"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_are_what_the_service_takes),
		cmocka_unit_test(test_what_makes_no_request_is_refused),
		cmocka_unit_test(test_names_that_the_service_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
