/* Addresses of proxies, and which hosts NO_PROXY exempts. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "sstorefs/proxy.h"

static void test_addresses(void **state)
{
	static const struct {
		const char *given, *url, *user, *shown, *password;
	} cases[] = {
		{"http://proxy.example:3128", "http://proxy.example:3128", NULL, NULL, NULL},
		{"proxy.example", "http://proxy.example:1080", NULL, NULL, NULL},
		{"socks.example:81/", "http://socks.example:81", NULL, NULL, NULL},
		{"HTTPS://Proxy.example", "https://Proxy.example:443", NULL, NULL, NULL},
		{"socks5h://[::1]:9050", "socks5h://[::1]:9050", NULL, NULL, NULL},
		{"http://me@proxy.example:1", "http://proxy.example:1", "me",
		 "http://me@proxy.example:1", NULL},
		{"http://a%40b:c%3Ad@10.0.0.1:80", "http://10.0.0.1:80", "a@b",
		 "http://a%40b@10.0.0.1:80", "c:d"},
	};
	static const char *const refused[] = {
		"",	      "ftp://proxy", "http://",	      "http://a/b",
		"http://a?b", "http://a:x",  "http://a:70000"};
	const char *fault;
	struct proxy proxy;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *password = proxy_password(cases[i].given);

		assert_int_equal(proxy_parse(&proxy, cases[i].given, &fault), 0);
		assert_string_equal(proxy.url, cases[i].url);
		assert_string_equal(proxy.shown, cases[i].shown ? cases[i].shown : proxy.url);
		assert_string_equal(proxy.user ? proxy.user : "-",
				    cases[i].user ? cases[i].user : "-");
		assert_string_equal(password ? password : "-",
				    cases[i].password ? cases[i].password : "-");
		assert_int_equal(proxy.has_password, password != NULL);
		proxy_password_free(password);
		proxy_free(&proxy);
	}
	for (size_t i = 0; i < COUNT(refused); i++) {
		assert_int_equal(proxy_parse(&proxy, refused[i], &fault), -EINVAL);
		proxy_free(&proxy);
	}
}

static void test_hosts_that_are_exempt(void **state)
{
	static const struct {
		const char *host, *list;
		bool exempt;
	} cases[] = {
		{"api.fastly.com", "", false},
		{"api.fastly.com", "*", true},
		{"api.fastly.com", "api.fastly.com", true},
		{"api.fastly.com", "other.example, FASTLY.com", true},
		{"api.fastly.com", "other.example .fastly.com.", true},
		{"api.fastly.com.", "fastly.com", true},
		{"api.fastly.com", "astly.com", false},
		{"api.fastly.com", "a.api.fastly.com", false},
		{"10.99.0.1", "10.99.0.1", true},
		{"10.99.0.1", "10.99.0.10", false},
		{"10.99.0.1", "10.0.0.0/8", true},
		{"10.99.0.1", "10.99.0.0/31,x", true},
		{"10.99.0.2", "10.99.0.0/31", false},
		{"10.99.0.2", "0.0.0.0/0", true},
		{"10.99.0.2", "10.99.0.0/33", false},
		{"10.99.0.2", "10.99.0.0/", false},
		{"10.99.0.2", "10.99.0.0/x", false},
		{"10.99.0.2", "10.99.0.0/8x", false},
		{"[fe80::1]", "fe80::/10", true},
		{"[fe80::1]", "fe80::1", true},
		{"[fe80::1]", "fe00::/10", false},
		{"[fe80::1]", "0.0.0.0/0", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(proxy_is_bypassed(cases[i].host, cases[i].list), cases[i].exempt);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_hosts_that_are_exempt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
