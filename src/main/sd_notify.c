/* Tells the service manager the state of the daemon (sd_notify(3)). */
#include "sd_notify.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sstorefs/buffer.h"
#include "sstorefs/descriptor.h"
#include "sstorefs/wait.h"

/* Connects once: the path may be gone after a change of root. Returns the socket, or -1 without a
 * listener. */
static int connect_to(const char *address)
{
	struct sockaddr_un to;
	socklen_t length = address && strchr("/@", *address) ? unix_address(&to, address) : 0;
	int fd = length ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, length)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Returns the interval of watchdog messages in milliseconds, half of the manager's time-out as
 * sd_watchdog_enabled(3) advises; 0: none. */
static uint64_t watchdog_interval(void)
{
	const char *interval = getenv("WATCHDOG_USEC"), *process = getenv("WATCHDOG_PID");

	if (!interval || (process && strtoll(process, NULL, 10) != getpid()))
		return 0;
	return strtoull(interval, NULL, 10) / 2000;
}

static void on_watchdog(struct timer *timer)
{
	struct sd_notifier *notifier = container_of(timer, struct sd_notifier, watchdog);

	sd_notifier_send(notifier, "WATCHDOG=1");
	timer_start(notifier->loop, timer, loop_now(notifier->loop) + notifier->watchdog_every);
}

void sd_notifier_open(struct sd_notifier *notifier, struct loop *loop)
{
	*notifier =
		(struct sd_notifier){.socket = connect_to(getenv("NOTIFY_SOCKET")), .loop = loop};
	if (notifier->socket < 0)
		return;
	notifier->watchdog_every = watchdog_interval();
	notifier->watchdog.expired = on_watchdog;
	if (notifier->watchdog_every)
		on_watchdog(&notifier->watchdog);
}

void sd_notifier_close(struct sd_notifier *notifier)
{
	if (notifier->socket < 0)
		return;
	timer_stop(notifier->loop, &notifier->watchdog);
	close(notifier->socket);
	notifier->socket = -1;
}

void sd_notifier_send(const struct sd_notifier *notifier, const char *format, ...)
{
	struct buffer message = {0};
	va_list arguments;

	if (notifier->socket < 0)
		return;
	va_start(arguments, format);
	buffer_vprintf(&message, format, arguments);
	va_end(arguments);
	if (!buffer_error(&message))
		send(notifier->socket, message.data, message.length, MSG_NOSIGNAL);
	buffer_finish(&message);
}
