/* One attempt after the other as the input wants it: answered, spoiled, lost, hanging; and the
 * clock that goes with it. What follows an attempt is src/net's. */
#include "scripted_transport.h"

#include <stdlib.h>
#include <string.h>

#include "sstorefs/api_call.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define STEPS_MAX 20000 /* events in one run: behind them is a loop without end */

/* --- time */

#define BOOTED INT64_C(1790000000) /* wall time at the clock's 0, seconds */

static uint64_t milliseconds;

void scripted_time_begin(void)
{
	milliseconds = 1000000;
}

uint64_t __wrap_clock_boottime(void);
uint64_t __wrap_clock_boottime(void)
{
	return milliseconds;
}

wall_time_ns __wrap_clock_wall(void);
wall_time_ns __wrap_clock_wall(void)
{
	return BOOTED * NANOSECONDS + (wall_time_ns)milliseconds * 1000000;
}

wall_time_ns __wrap_clock_files(void);
wall_time_ns __wrap_clock_files(void)
{
	return __wrap_clock_wall();
}

/* --- attempts (in place of transfer.c) */

static struct scripted_net *scripted_of(struct net *net)
{
	return container_of(net, struct scripted_net, net);
}

int transfer_start(struct call_state *state)
{
	struct scripted_net *scripted = scripted_of(state->net);

	state->error[0] = '\0';
	state->overflow = OVERFLOW_NONE;
	state->times_sent = 0;
	MUST(!state->net->parts.loopback);
	MUST(scripted->count < TRANSFERS_MAX);
	scripted->transfers[scripted->count++] = state;
	state->net->transfers++;
	if (state->own_connection)
		state->net->connections[state->call->upload]++;
	return 0;
}

void transfer_stop(struct call_state *state)
{
	struct scripted_net *scripted = scripted_of(state->net);

	for (unsigned i = 0; i < scripted->count; i++) {
		if (scripted->transfers[i] != state)
			continue;
		scripted->transfers[i] = scripted->transfers[--scripted->count];
		state->net->transfers--;
		if (state->own_connection)
			state->net->connections[state->call->upload]--;
	}
	if (scripted->ready == state)
		scripted->ready = NULL;
}

bool transfer_finish(struct call_state *state)
{
	transfer_stop(state);
	return true;
}

static void send_request(struct call_state *state)
{
	state->times_sent++;
	state->call->times_sent++;
	state->call->sent_at = milliseconds;
}

/* --- outcomes */

static void ask_service(struct call_state *state)
{
	struct scripted_net *scripted = scripted_of(state->net);
	const struct api_call *api_call = container_of(state->call, struct api_call, http);

	service_answer(&scripted->service, &api_call->args, api_call->etag,
		       &state->call->request.body, &state->response);
}

static CURLcode answers(struct call_state *state, struct input *input)
{
	(void)input;
	send_request(state);
	ask_service(state);
	return CURLE_OK;
}

static void add_header(struct call_state *state, struct input *input)
{
	static const char *const headers[] = {"Retry-After: 1",
					      "Retry-After: 31",
					      "Retry-After: Mon, 21 Sep 2026 13:33:40 GMT",
					      "Ratelimit: \"default\";r=0;t=7",
					      "Ratelimit: \"default\";r=50;t=30",
					      "Fastly-RateLimit-Remaining: 0",
					      "Stripe-Should-Retry: false",
					      "Stripe-Should-Retry: true",
					      "X-RateLimit-Remaining: 0",
					      "X-RateLimit-Remaining: 3"};

	buffer_puts(&state->response.headers, headers[input_number(input, COUNT(headers) - 1)]);
	buffer_append(&state->response.headers, "", 1);
}

/* The service refuses, and did nothing. */
static CURLcode refuses(struct call_state *state, struct input *input)
{
	static const int statuses[] = {400, 401, 403, 404, 409, 413, 422, 429, 429, 429};
	static const char *const bodies[] = {
		"{\"success\":false,\"errors\":[{\"code\":1001,\"message\":\"secret_not_found\"}],\"result\":null}",
		"{\"success\":false,\"errors\":[{\"code\":1003,\"message\":\"secret_name_already_exists: NAME\"}]}",
		"{\"success\":false,\"errors\":[{\"code\":1003,\"message\":\"maximum_stores_exceeded\"}]}",
		"{\"title\":\"Bad Request\",\"detail\":\"duplicate: name\"}",
		"{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"No such secret: 'NAME'\"}}",
		"",
		"{\"message\":\"You have exceeded a secondary rate limit\"}",
		"{\"message\":\"API rate limit exceeded for user ID 1.\"}",
	};

	send_request(state);
	state->response.status = statuses[input_number(input, COUNT(statuses) - 1)];
	add_header(state, input);
	buffer_puts(&state->response.body, bodies[input_number(input, COUNT(bodies) - 1)]);
	return CURLE_OK;
}

/* A 5xx, before or after it did what was asked. */
static CURLcode breaks(struct call_state *state, struct input *input)
{
	uint8_t how = input_byte(input);

	send_request(state);
	if (how & 1)
		ask_service(state);
	http_response_free(&state->response);
	state->response.status = how & 2 ? 500 : 503;
	if (how & 4)
		add_header(state, input);
	return CURLE_OK;
}

/* The request was carried out, and its response arrives with a few bytes changed, or cut. */
static CURLcode garbles(struct call_state *state, struct input *input)
{
	struct buffer *body = &state->response.body;
	unsigned changes = input_number(input, 3);

	send_request(state);
	ask_service(state);
	while (changes-- && body->length)
		body->data[input_number(input, 1023) % body->length] = (char)input_byte(input);
	if (body->length && input_byte(input) & 1) {
		body->length = input_number(input, 1023) % body->length;
		body->data[body->length] = '\0';
	}
	return CURLE_OK;
}

/* Any text of the fuzzer's. */
static CURLcode babbles(struct call_state *state, struct input *input)
{
	size_t length;
	const uint8_t *bytes;

	send_request(state);
	if (input_byte(input) & 1)
		ask_service(state);
	http_response_free(&state->response);
	state->response.status = 200;
	bytes = input_bytes(input, 255, &length);
	buffer_append(&state->response.body, bytes, length);
	return CURLE_OK;
}

/* It never left. */
static CURLcode fails(struct call_state *state, struct input *input)
{
	static const CURLcode codes[] = {CURLE_COULDNT_CONNECT,	   CURLE_COULDNT_RESOLVE_HOST,
					 CURLE_SSL_CONNECT_ERROR,  CURLE_PEER_FAILED_VERIFICATION,
					 CURLE_OPERATION_TIMEDOUT, CURLE_OUT_OF_MEMORY,
					 CURLE_SEND_ERROR};

	(void)state;
	return codes[input_number(input, 6)];
}

/* It left, and no answer came; or libcurl sent it twice. */
static CURLcode loses(struct call_state *state, struct input *input)
{
	static const CURLcode codes[] = {CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE,
					 CURLE_HTTP2_STREAM, CURLE_ABORTED_BY_CALLBACK};
	uint8_t how = input_byte(input);

	send_request(state);
	if (how & 1)
		ask_service(state);
	if (how & 2)
		state->overflow = how & 4 ? OVERFLOW_BODY : OVERFLOW_HEADERS;
	if ((how & 8) && state->call->idempotent) {
		state->call->indeterminate = true;
		send_request(state);
	}
	http_response_free(&state->response);
	return codes[how / 16 % 5];
}

static void complete(struct scripted_net *scripted, struct call_state *state)
{
	static CURLcode (*const outcomes[])(struct call_state * state, struct input * input) = {
		answers, answers, answers, answers, refuses,
		breaks,	 garbles, babbles, fails,   loses};
	unsigned which = input_number(scripted->input, 9);

	handle_transfer_end(state, outcomes[which](state, scripted->input));
}

/* --- the loop's partner */

static bool is_busy(struct loop_poller *poller)
{
	(void)poller;
	return true;
}

static void make_readable(struct pollfd *fds, unsigned count)
{
	if (count)
		fds[0].revents = POLLIN;
}

/* The next event: an answer, something of the target's own, or the next timer. */
static int happen(struct loop_poller *poller, struct pollfd *fds, unsigned count, int timeout)
{
	struct scripted_net *scripted = container_of(poller, struct scripted_net, net.poller);
	uint8_t choice;

	for (unsigned i = 0; i < count; i++)
		fds[i].revents = 0;
	if (timeout == 0)
		return 0;
	MUST(scripted->steps++ < STEPS_MAX);
	choice = input_byte(scripted->input);
	if (choice % 4 == 1 && scripted->count)
		scripted->ready = scripted->transfers[choice / 4 % scripted->count];
	else if (choice % 4 == 2)
		milliseconds += UINT64_C(1) << choice / 4 % 16;
	else if (choice % 4 == 3 && timeout > 0)
		milliseconds += (uint64_t)timeout;
	else if (scripted->event(scripted->context))
		make_readable(fds, count);
	else if (scripted->count)
		scripted->ready = scripted->transfers[0];
	else if (!scripted->waits(scripted->context))
		loop_stop(scripted->loop);
	else if (timeout > 0)
		milliseconds += (uint64_t)timeout;
	else
		broken("every waiter is woken", __FILE__, __LINE__);
	return 0;
}

static void turn(struct loop_poller *poller)
{
	struct scripted_net *scripted = container_of(poller, struct scripted_net, net.poller);
	struct call_state *state = scripted->ready;

	scripted->ready = NULL;
	if (state)
		complete(scripted, state);
}

/* A token that is read anew is another one every second time. */
static bool refused(void *context)
{
	struct scripted_net *scripted = context;

	return input_byte(scripted->input) & 1;
}

void scripted_net_init(struct scripted_net *scripted, struct loop *loop, struct input *input,
		       const struct provider *provider)
{
	static char host[] = "service.example", place[] = "service.example port 443";
	struct net *net = &scripted->net;

	*scripted = (struct scripted_net){.loop = loop, .input = input};
	service_init(&scripted->service, provider);
	net->loop = loop;
	net->poller = (struct loop_poller){.busy = is_busy, .wait = happen, .iterate = turn};
	net->options.timeout = UINT64_MAX;
	net->throttle.rules = provider->rate_rules;
	net->options.on_unauthorized = refused;
	net->options.context = scripted;
	net->counts.budget_remaining = -1;
	net->parts.host = host;
	net->host_port = place;
	net->parts.https = true;
	TAILQ_INIT(&net->every);
	TAILQ_INIT(&net->waiting[0]);
	TAILQ_INIT(&net->waiting[1]);
	loop_set_poller(loop, &net->poller);
}

/* All calls have ended by now. */
void scripted_net_finish(struct scripted_net *scripted)
{
	MUST(TAILQ_EMPTY(&scripted->net.every));
	MUST(!scripted->count && !scripted->net.transfers && !scripted->net.counts.running);
	MUST(!scripted->net.connections[0] && !scripted->net.connections[1]);
}
