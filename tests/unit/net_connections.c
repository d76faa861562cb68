/* Connections: how many, shared by whom, what becomes of calls when one fails, what stays in
 * memory. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net_fixture.h"
#include "sstorefs/clock.h"

static struct fixture fixture;
static struct probe probes[200];

static void start(struct probe *probe, enum http_method method, uint64_t budget, bool upload,
		  const char *target)
{
	probe_make(probe, &fixture, method, budget, "%s", target);
	probe->call.upload = upload;
	if (upload)
		probe_body(probe, "sealed");
	probe_start(probe);
}

static void get(struct probe *probe, const char *target)
{
	start(probe, HTTP_GET, 20000, false, target);
	fixture_settle(&fixture);
	assert_int_equal(probe->call.failure.errnum, 0);
}

/* libcurl repeats a request when a kept connection dies before the answer, whatever its method. */
static void a_request_repeated_by_libcurl_is_indeterminate(void **state)
{
	static const char *const steps[] = {"close", "reset"};
	struct probe *probe = &probes[0];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		fixture_make(&fixture, FRONT_PLAIN);
		get(probe, "/kept");
		probe_make(probe, &fixture, HTTP_PUT, 5000, "/dies-put-%s?plan=%s,200", steps[i],
			   steps[i]);
		probe_run(probe);
		assert_int_equal(probe->call.failure.errnum, 0);
		assert_int_equal(probe->call.times_sent, 2);
		assert_true(probe->call.indeterminate);
		assert_true(probe->indeterminate_when_handled);
		/* One attempt: the repetition was libcurl's. */
		assert_int_equal(net_counts(fixture.net)->attempts, 2);
		fixture_free(&fixture);
	}
}

static void a_create_is_not_repeated_by_libcurl(void **state)
{
	static const char *const steps[] = {"close", "reset"};
	struct probe *probe = &probes[0];
	char name[32];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		fixture_make(&fixture, FRONT_PLAIN);
		get(probe, "/kept");
		snprintf(name, sizeof(name), "dies-post-%s", steps[i]);
		probe_make(probe, &fixture, HTTP_POST, 5000, "/%s?plan=%s,200", name, steps[i]);
		probe_body(probe, "{}");
		probe_run(probe);
		assert_int_equal(probe->call.failure.errnum, EIO);
		assert_int_equal(probe->call.times_sent, 1);
		assert_true(probe->call.indeterminate);
		assert_int_equal(server_saw(&fixture, name, "requests"), 1);
		fixture_free(&fixture);
	}
}

static unsigned closed_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static void a_refused_connection_is_reported_within_two_seconds(void **state)
{
	struct probe *probe = &probes[0];
	uint64_t before = clock_boottime();
	char endpoint[64], words[128];
	unsigned port = closed_port();

	(void)state;
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", port);
	snprintf(words, sizeof(words), "cannot connect to 127.0.0.1 port %u: Connection refused",
		 port);
	fixture_make_for(&fixture, endpoint, NULL);
	probe_make(probe, &fixture, HTTP_POST, 30000, "/");
	probe_run(probe);
	assert_int_equal(probe->call.failure.errnum, EHOSTUNREACH);
	assert_string_equal(probe->call.failure.message, words);
	assert_int_equal(probe->call.times_sent, 0);
	assert_false(probe->call.indeterminate);
	assert_int_equal(net_counts(fixture.net)->attempts, 3);
	assert_int_equal(net_down(fixture.net)->errnum, EHOSTUNREACH);
	assert_true(clock_boottime() >= before + 1000 && clock_boottime() < before + 5000);
	fixture_free(&fixture);
}

static void a_connection_that_never_comes_about_times_out(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM, 0), callers[4];
	struct probe *probe = &probes[0];
	char endpoint[64];

	(void)state;
	assert_int_equal(bind(listening, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &length), 0);
	assert_int_equal(listen(listening, 0), 0);
	/* The server never accepts: these fill the queue, and the kernel drops later ones. */
	for (size_t i = 0; i < 4; i++) {
		callers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(callers[i], (struct sockaddr *)&address, length);
	}
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", ntohs(address.sin_port));
	fixture_make_for(&fixture, endpoint, NULL);
	probe_make(probe, &fixture, HTTP_POST, 900, "/");
	probe_run(probe);
	assert_int_equal(probe->call.failure.errnum, ETIMEDOUT);
	assert_non_null(strstr(probe->call.failure.message, "cannot connect to 127.0.0.1 port"));
	assert_int_equal(probe->call.times_sent, 0);
	assert_false(probe->call.indeterminate);
	fixture_free(&fixture);
	for (size_t i = 0; i < 4; i++)
		close(callers[i]);
	close(listening);
}

static void an_unknown_certificate_is_refused_at_once(void **state)
{
	struct probe *probe = &probes[0];
	char endpoint[64];

	(void)state;
	snprintf(endpoint, sizeof(endpoint), "https://localhost:%u", server.tls_port);
	fixture_make_for(&fixture, endpoint, NULL);
	probe_make(probe, &fixture, HTTP_PUT, 20000, "/certificate");
	probe_run(probe);
	assert_int_equal(probe->call.failure.errnum, EKEYREJECTED);
	assert_non_null(
		strstr(probe->call.failure.message, "the certificate of localhost was refused: "));
	assert_int_equal(probe->call.times_sent, 0);
	assert_int_equal(net_counts(fixture.net)->attempts, 1);
	fixture_free(&fixture);
}

static void endpoints_that_will_not_do_are_refused(void **state)
{
	static const struct {
		const char *endpoint, *cacert, *words;
	} cases[] = {
		{"http://api.fastly.com", NULL, "clear text"},
		{"http://126.0.0.1", NULL, "clear text"},
		{"http://128.0.0.1", NULL, "clear text"},
		{"http://[::2]", NULL, "clear text"},
		{"http://localhost.example.com", NULL, "clear text"},
		{"ftp://localhost", NULL, "neither https:// nor http://"},
		{"https://", NULL, "no URL"},
		{"https://user:password@api.fastly.com", NULL, "more than a host"},
		{"https://api.fastly.com?a=b", NULL, "more than a host"},
		{"https://api.fastly.com", "/nonexistent/ca.pem", "can't be read: No such file"},
		{"https://api.fastly.com", "/etc/passwd", "no PEM certificate"},
		{"https://api.cloudflare.com/client/v4", NULL, NULL},
		{"http://127.3.2.1:8080", NULL, NULL},
		{"http://[::1]:8080", NULL, NULL},
		{"http://localhost", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct net_options options = {.endpoint = cases[i].endpoint,
					      .cacert = cases[i].cacert};
		struct failure why = {0};
		struct loop *loop;
		struct net *net = NULL;

		assert_int_equal(loop_new(&loop), 0);
		assert_int_equal(net_new(&net, loop, &options, &why), cases[i].words ? -EINVAL : 0);
		if (cases[i].words && !strstr(why.message, cases[i].words))
			fail_msg("%s: \"%s\" says nothing of \"%s\"", cases[i].endpoint,
				 why.message, cases[i].words);
		assert_null(strstr(why.message, "password"));
		net_free(net);
		loop_free(loop);
	}
}

static void hold_uploads(size_t count)
{
	for (size_t i = 0; i < count; i++)
		start(&probes[i], HTTP_PUT, 60000, true, "/held?plan=hold");
}

static void release_uploads(size_t count)
{
	get(&probes[count], "/release");
	for (size_t i = 0; i < count; i++)
		assert_int_equal(probes[i].call.failure.errnum, 0);
}

/* The server holds until /release, which ends all holding: each needs a server of its own. */
static void uploads_leave_connections_to_metadata(enum front front)
{
	struct probe late;

	fixture_make(&fixture, front);
	hold_uploads(60);
	server_holds(&fixture, 56);
	assert_int_equal(net_counts(fixture.net)->uploads, 60);

	/* A call waits for a connection no longer than its budget. */
	probe_make(&late, &fixture, HTTP_PUT, 50, "/late");
	late.call.upload = true;
	probe_start(&late);
	while (!late.completed)
		server_saw(&fixture, "late", "requests");
	assert_int_equal(late.call.failure.errnum, ETIMEDOUT);
	assert_int_equal(late.call.times_sent, 0);
	assert_false(late.call.indeterminate);
	assert_non_null(strstr(late.call.failure.message, "no connection to"));

	/* A cancelled one makes room for the next in the queue. */
	call_cancel(&probes[3].call);
	fixture.pending--;
	call_cancel(&probes[58].call);
	fixture.pending--;
	while (server_saw(&fixture, "held", "requests") != 57)
		;
	release_uploads(60);
	assert_int_equal(server_saw(&fixture, "held", "requests"), 59);
	fixture_free(&fixture);
}

static void sixty_uploads_leave_connections_to_metadata(void **state)
{
	(void)state;
	uploads_leave_connections_to_metadata(FRONT_PLAIN);
}

static void sixty_uploads_over_tls_without_http2_leave_connections_to_metadata(void **state)
{
	(void)state;
	uploads_leave_connections_to_metadata(FRONT_TLS_ONE);
}

static void fifty_cold_requests_share_one_connection(void **state)
{
	(void)state;
	fixture_make(&fixture, FRONT_TLS);
	for (size_t i = 0; i < 50; i++)
		start(&probes[i], HTTP_GET, 20000, false, "/cold?plan=slow-20");
	fixture_settle(&fixture);
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(probes[i].call.failure.errnum, 0);
	assert_int_equal(server_saw(&fixture, "cold", "requests"), 50);
	assert_int_equal(server_saw(&fixture, "cold", "connections"), 1);
	fixture_free(&fixture);
}

static void over_http2_uploads_are_not_rationed(void **state)
{
	(void)state;
	fixture_make(&fixture, FRONT_TLS);
	get(&probes[0], "/warm");
	hold_uploads(90);
	server_holds(&fixture, 90);
	assert_int_equal(server_saw(&fixture, "held", "connections"), 1);
	release_uploads(90);
	fixture_free(&fixture);
}

static void a_read_that_hung_is_tried_again_over_a_new_connection(void **state)
{
	(void)state;
	fixture_make(&fixture, FRONT_TLS);
	get(&probes[0], "/warm");
	start(&probes[0], HTTP_GET, 2000, false, "/hung-once?plan=hang,200");
	fixture_settle(&fixture);
	assert_int_equal(probes[0].call.failure.errnum, 0);
	assert_true(probes[0].call.indeterminate);
	assert_int_equal(server_saw(&fixture, "hung-once", "connections"), 2);
	fixture_free(&fixture);
}

static bool came_over(const struct probe *probe, const char *protocol)
{
	char key[64];

	snprintf(key, sizeof(key), "\"X-Protocol\": \"%s\"", protocol);
	return strstr(probe->body, key);
}

static void a_value_in_the_clear_goes_over_http1_and_the_rest_over_http2(void **state)
{
	(void)state;
	fixture_make(&fixture, FRONT_TLS);
	for (size_t i = 0; i < 6; i++) {
		probe_make(&probes[0], &fixture, HTTP_PUT, 20000, "/value-%zu?plan=echo", i);
		probe_body(&probes[0], "val");
		probes[0].call.request.bears_value = true;
		probe_run(&probes[0]);
		assert_true(came_over(&probes[0], "HTTP/1.1"));
		get(&probes[1], "/value-metadata?plan=echo");
		assert_true(came_over(&probes[1], "HTTP/2.0"));
	}
	/* Nor has libcurl forgotten that the server multiplexes. */
	for (size_t i = 0; i < 50; i++)
		start(&probes[i], HTTP_GET, 20000, false, "/after-values?plan=slow-20");
	fixture_settle(&fixture);
	assert_int_equal(server_saw(&fixture, "after-values", "connections"), 1);
	fixture_free(&fixture);
}

/* Every byte inverted: the marker itself is nowhere in memory before it is a value. */
static const char hidden_marker[] =
	"\x17\x3d\x0e\x2b\x68\x33\x05\x71\x1c\x2e\x46\x27\x3f\x6b\x0a\x39";
#define MARKER_LENGTH (sizeof(hidden_marker) - 1)

static char marker_byte(size_t position)
{
	return (char)(hidden_marker[position % MARKER_LENGTH] ^ 0x5a);
}

static unsigned traces_between(int memory, uint64_t start_at, uint64_t end)
{
	static char page[1 << 16];
	unsigned found = 0;

	for (uint64_t at = start_at; at < end; at += sizeof(page)) {
		ssize_t length = pread(memory, page, sizeof(page), (off_t)at);

		for (ssize_t i = 0; i + (ssize_t)MARKER_LENGTH <= length; i++) {
			size_t same = 0;

			while (same < MARKER_LENGTH && page[i + (ssize_t)same] == marker_byte(same))
				same++;
			found += same == MARKER_LENGTH;
		}
		explicit_bzero(page, sizeof(page));
	}
	return found;
}

/* Returns how often the marker is in this process's memory. */
static unsigned count_traces(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	unsigned long begin, end;
	char access[8], line[512];
	unsigned found = 0;

	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &begin, &end, access) != 3 ||
		    strncmp(access, "rw", 2) != 0)
			continue;
		/* The address sanitizer's shadow has terabytes. */
		if (end - begin <= 1UL << 28)
			found += traces_between(memory, begin, end);
	}
	fclose(maps);
	close(memory);
	return found;
}

static void openssl_wipes_what_it_frees(void **state)
{
	void (*functions)(void **, void **, void **);
	void *own = dlsym(RTLD_DEFAULT, "CRYPTO_free"),
	     *symbol = dlsym(RTLD_DEFAULT, "CRYPTO_get_mem_functions");
	void *in_use[3];

	(void)state;
	if (!symbol)
		skip();
	memcpy(&functions, &symbol, sizeof(functions));
	functions(&in_use[0], &in_use[1], &in_use[2]);
	assert_ptr_not_equal(in_use[2], own);
}

static void no_trace_of_a_value_outlives_its_call(void **state)
{
	struct locked_pool pool;
	struct probe *probe = &probes[0];

	(void)state;
	locked_pool_init(&pool, 1 << 20);
	fixture_make(&fixture, FRONT_TLS);
	for (size_t length = 1 << 4; length <= 1 << 16; length <<= 6) {
		probe_make(probe, &fixture, HTTP_PUT, 20000, "/trace?plan=echo");
		probe->call.request.body.pool = &pool;
		probe->call.request.bears_value = true;
		for (size_t i = 0; i < length; i++) {
			char byte = marker_byte(i);

			assert_int_equal(locked_append(&probe->call.request.body, &byte, 1), 0);
		}
		probe_start(probe);
		assert_true(count_traces() >= length / MARKER_LENGTH);
		fixture_settle(&fixture);
		assert_int_equal(probe->call.failure.errnum, 0);
		explicit_bzero(probe->body, sizeof(probe->body));
		assert_int_equal(pool.held, 0);
		assert_int_equal(count_traces(), 0);
	}
	fixture_free(&fixture);
}

static void hung_up(struct watch *watch)
{
	struct loop *loop = watch->loop;

	watch_stop(watch);
	loop_stop(loop);
}

/* What FUSE's descriptor does at an unmount: an error condition, and nothing to read. */
static void hang_ups_and_errors_are_reported_while_a_transfer_hangs(void **state)
{
	(void)state;
	fixture_make(&fixture, FRONT_PLAIN);
	start(&probes[0], HTTP_PUT, 20000, true, "/hung?plan=hang");
	while (!server_saw(&fixture, "hung", "requests"))
		;
	/* The end that is read hangs up, the one that is written has an error. */
	for (int end = 0; end <= 1; end++) {
		struct watch watch = {.readable = hung_up};
		int ends[2];

		assert_int_equal(pipe(ends), 0);
		close(ends[!end]);
		watch.fd = ends[end];
		assert_int_equal(watch_start(fixture.loop, &watch), 0);
		assert_int_equal(loop_run(fixture.loop), 0);
		assert_null(watch.loop);
		close(ends[end]);
	}
	assert_true(call_runs(&probes[0].call));
	fixture_free(&fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_start, server_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_repeated_by_libcurl_is_indeterminate),
		TEST(a_create_is_not_repeated_by_libcurl),
		TEST(a_refused_connection_is_reported_within_two_seconds),
		TEST(a_connection_that_never_comes_about_times_out),
		TEST(an_unknown_certificate_is_refused_at_once),
		TEST(endpoints_that_will_not_do_are_refused),
		TEST(sixty_uploads_leave_connections_to_metadata),
		TEST(sixty_uploads_over_tls_without_http2_leave_connections_to_metadata),
		TEST(fifty_cold_requests_share_one_connection),
		TEST(over_http2_uploads_are_not_rationed),
		TEST(a_read_that_hung_is_tried_again_over_a_new_connection),
		TEST(a_value_in_the_clear_goes_over_http1_and_the_rest_over_http2),
		TEST(openssl_wipes_what_it_frees),
		TEST(no_trace_of_a_value_outlives_its_call),
		TEST(hang_ups_and_errors_are_reported_while_a_transfer_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
