/* What the tests of the network share: the scripted server, a network, a call with its handler. */
#include "net_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sstorefs/clock.h"

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct server server;

static void server_exec(const char *script, const char *directory)
{
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	execl("/usr/bin/python3", "python3", script, directory, (char *)NULL);
	_exit(127);
}

int server_start(void **state)
{
	const char *source = getenv("SOURCE_ROOT");
	int in[2], out[2];
	char script[512];

	(void)state;
	assert_int_equal(net_global_init(), 0);
	snprintf(script, sizeof(script), "%s/tests/unit/scripted_server.py", source ? source : ".");
	strcpy(server.directory, "/tmp/test-net-XXXXXX");
	assert_non_null(mkdtemp(server.directory));
	snprintf(server.cacert, sizeof(server.cacert), "%s/ca.pem", server.directory);
	assert_int_equal(pipe(in) | pipe(out), 0);
	server.pid = fork();
	if (!server.pid) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		server_exec(script, server.directory);
	}
	close(in[0]);
	close(out[1]);
	server.lifeline = in[1];
	FILE *ports = fdopen(out[0], "r");

	assert_int_equal(
		fscanf(ports, "%u %u %u", &server.port, &server.tls_port, &server.tls_one_port), 3);
	fclose(ports);
	return 0;
}

int server_end(void **state)
{
	char command[128];

	(void)state;
	close(server.lifeline);
	waitpid(server.pid, NULL, 0);
	snprintf(command, sizeof(command), "rm -r '%s'", server.directory);
	return system(command);
}

static bool credentials_refused(void *context)
{
	struct fixture *fixture = context;

	fixture->asked++;
	if (fixture->has_new_token)
		assert_int_equal(net_set_credentials(fixture->net, "X-Token: new", 13), 0);
	return fixture->has_new_token;
}

void fixture_make_for(struct fixture *fixture, const char *endpoint, const char *cacert)
{
	struct net_options options = {
		.endpoint = fixture->endpoint,
		.cacert = cacert,
		.timeout = 60000,
		.on_unauthorized = credentials_refused,
		.context = fixture,
	};
	struct failure why = {0};

	*fixture = (struct fixture){0};
	snprintf(fixture->endpoint, sizeof(fixture->endpoint), "%s", endpoint);
	assert_int_equal(loop_new(&fixture->loop), 0);
	if (net_new(&fixture->net, fixture->loop, &options, &why))
		fail_msg("%s", why.message);
	assert_int_equal(net_set_credentials(fixture->net, "X-Token: old\0X-Other: 1", 24), 0);
}

void fixture_make(struct fixture *fixture, enum front front)
{
	char endpoint[64];

	switch (front) {
	case FRONT_PLAIN:
		snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", server.port);
		break;
	case FRONT_TLS:
		snprintf(endpoint, sizeof(endpoint), "https://localhost:%u", server.tls_port);
		break;
	case FRONT_TLS_ONE:
		snprintf(endpoint, sizeof(endpoint), "https://localhost:%u", server.tls_one_port);
		break;
	}
	fixture_make_for(fixture, endpoint, front == FRONT_PLAIN ? NULL : server.cacert);
}

void fixture_free(struct fixture *fixture)
{
	const struct net_counts *counts = net_counts(fixture->net);

	if (!fixture->pending) {
		assert_int_equal(counts->running, 0);
		assert_int_equal(counts->uploads, 0);
	}
	net_free(fixture->net);
	loop_free(fixture->loop);
}

static enum response_class handle_response(struct http_call *call,
					   const struct http_response *response)
{
	struct probe *probe = container_of(call, struct probe, call);
	const char *wait = http_response_header(response, "x-wait");
	enum response_class class = RESPONSE_OK;

	probe->handled++;
	probe->status = response->status;
	probe->indeterminate_when_handled = call->indeterminate;
	probe->body_length = response->body.length;
	snprintf(probe->body, sizeof(probe->body), "%s", buffer_cstr(&response->body));
	call->retry_after = wait ? strtoull(wait, NULL, 10) : 0;
	if (response->status == 429) {
		failure_set(&call->failure, EAGAIN, "slower, please");
		class = RESPONSE_RETRY;
	} else if (response->status >= 500 || (response->status == 200 && probe->body[0] != '{')) {
		failure_set(&call->failure, EIO, "no answer that makes sense");
		class = RESPONSE_INDETERMINATE;
	} else if (response->status != 200) {
		failure_set(&call->failure, response->status == 404 ? ENOENT : EACCES, "no");
		class = RESPONSE_REJECTED;
	}
	if (call->failure.errnum)
		call->failure.http_status = response->status;
	if (probe->in_handler)
		probe->in_handler(probe);
	return class;
}

static void done(struct http_call *call)
{
	struct probe *probe = container_of(call, struct probe, call);
	struct fixture *fixture = probe->fixture;

	probe->completed++;
	assert_false(call_runs(call));
	if (!--fixture->pending)
		loop_stop(fixture->loop);
	if (probe->in_done)
		probe->in_done(probe);
}

void probe_make(struct probe *probe, struct fixture *fixture, enum http_method method,
		uint64_t budget, const char *target, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, target);
	vsnprintf(text, sizeof(text), target, arguments);
	va_end(arguments);
	*probe = (struct probe){.fixture = fixture,
				.call = {.on_response = handle_response, .done = done}};
	probe->call.request.method = method;
	buffer_puts(&probe->call.request.target, text);
	probe->call.idempotent = method != HTTP_POST;
	probe->call.deadline = clock_boottime() + budget;
}

void probe_body(struct probe *probe, const char *body)
{
	probe->call.request.content_type = "text/plain";
	assert_int_equal(locked_append(&probe->call.request.body, body, strlen(body)), 0);
}

void probe_start(struct probe *probe)
{
	unsigned completed = probe->completed;

	probe->fixture->pending++;
	call_start(probe->fixture->net, &probe->call);
	assert_int_equal(probe->completed, completed);
	assert_true(call_runs(&probe->call));
}

void fixture_settle(struct fixture *fixture)
{
	if (fixture->pending)
		assert_int_equal(loop_run(fixture->loop), 0);
	assert_int_equal(fixture->pending, 0);
}

void probe_run(struct probe *probe)
{
	probe_start(probe);
	fixture_settle(probe->fixture);
	assert_int_equal(probe->completed, 1);
}

static void asked(struct probe *question)
{
	loop_stop(question->fixture->loop);
}

/* Other probes may be pending meanwhile. */
static void ask_server(struct fixture *fixture, struct probe *question, const char *name)
{
	probe_make(question, fixture, HTTP_GET, 5000, "/seen?of=%s", name);
	question->in_done = asked;
	probe_start(question);
	while (!question->completed)
		assert_int_equal(loop_run(fixture->loop), 0);
	assert_int_equal(question->call.failure.errnum, 0);
}

unsigned server_saw(struct fixture *fixture, const char *name, const char *what)
{
	struct probe question;
	char key[32];

	ask_server(fixture, &question, name);
	snprintf(key, sizeof(key), "\"%s\": ", what);
	const char *found = strstr(question.body, key);

	assert_non_null(found);
	return (unsigned)strtoul(found + strlen(key), NULL, 10);
}

void server_holds(struct fixture *fixture, unsigned count)
{
	while (server_saw(fixture, "-", "held") != count)
		;
}
