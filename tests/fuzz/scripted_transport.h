#pragma once

#include "byte_source.h"
#include "net/net_internal.h"
#include "service_model.h"

/*
 * A network without a network: the real rules of retries, budgets and health (src/net) over
 * attempts whose outcomes the input decides, and time that passes as the input wants. It takes the
 * places of net.c and transfer.c.
 */
#define TRANSFERS_MAX 64

struct scripted_net {
	struct net net;
	struct loop *loop;
	struct input *input;
	struct service service;
	struct call_state *transfers[TRANSFERS_MAX];
	unsigned count;
	struct call_state *ready;
	unsigned steps;

	/* The target's turn. Returns true if it did anything; the loop's first descriptor, if there
	 * is one, is then readable. */
	bool (*event)(void *context);
	/* Whether something is still waited for, though nothing is left to happen but timers. */
	bool (*waits)(void *context);
	void *context;
};

/* Turns the clock back to where every run begins. Before the loop is made. */
void scripted_time_begin(void);

void scripted_net_init(struct scripted_net *scripted, struct loop *loop, struct input *input,
		       const struct provider *provider);
void scripted_net_finish(struct scripted_net *scripted);
