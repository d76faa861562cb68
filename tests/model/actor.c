/*
 * A process that carries out commands: opens, writes, duplicates, closes, forks, executes itself
 * anew, exits. It knows nothing of what should come of it.
 *
 *     actor SOCKET NAME
 *
 * It connects to the SOCK_SEQPACKET socket and says its NAME and process id. Each packet is one
 * command, a word and its arguments; what is to be written follows a newline. Each answer is `ERRNO
 * VALUE`. Descriptors have the numbers that the kernel gives them: those are in the answers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PACKET_MAX  (128 << 10)
#define SOCKET	    1000 /* out of the way: files get the lowest numbers */
#define SOCKET_TEXT "1000"

static const char *program, *address;

struct command {
	char word[16];
	long arguments[3];
	char text[256];
	const char *data;
	size_t length;
	long value;
	int error;
};

static void answer(int error, long value)
{
	char text[64];
	int length = snprintf(text, sizeof text, "%d %ld", error, value);

	if (send(SOCKET, text, (size_t)length, 0) < 0)
		_exit(99);
}

static void go_out(int socket_descriptor)
{
	if (dup3(socket_descriptor, SOCKET, 0) < 0)
		_exit(98);
	close(socket_descriptor);
}

static void join(const char *name)
{
	struct sockaddr_un there = {.sun_family = AF_UNIX};
	int end = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	char text[64];
	int length;

	snprintf(there.sun_path, sizeof there.sun_path, "%s", address);
	if (connect(end, (struct sockaddr *)&there, sizeof there))
		_exit(97);
	go_out(end);
	length = snprintf(text, sizeof text, "%s %d", name, (int)getpid());
	if (send(SOCKET, text, (size_t)length, 0) < 0)
		_exit(96);
}

static long do_open(struct command *command)
{
	return open(command->text, (int)command->arguments[0], 0600);
}

static long do_write(struct command *command)
{
	return write((int)command->arguments[0], command->data, command->length);
}

static long do_pwrite(struct command *command)
{
	return pwrite((int)command->arguments[0], command->data, command->length,
		      command->arguments[1]);
}

static long do_close(struct command *command)
{
	return close((int)command->arguments[0]);
}

static long do_dup(struct command *command)
{
	return fcntl((int)command->arguments[0], command->arguments[1] ? F_DUPFD_CLOEXEC : F_DUPFD,
		     0);
}

static long do_dup2(struct command *command)
{
	return dup2((int)command->arguments[0], (int)command->arguments[1]);
}

static long do_fsync(struct command *command)
{
	return fsync((int)command->arguments[0]);
}

static long do_cut(struct command *command)
{
	return ftruncate((int)command->arguments[0], command->arguments[1]);
}

static long do_allocate(struct command *command)
{
	return fallocate((int)command->arguments[0], 0, 0, command->arguments[1]);
}

static long do_unlink(struct command *command)
{
	return unlink(command->text);
}

static long do_exec(struct command *command)
{
	char *words[] = {(char *)program, (char *)address, NULL, NULL};

	(void)command;
	return execv(program, words);
}

static long do_fork(struct command *command)
{
	pid_t child = fork();

	if (child)
		return child;
	close(SOCKET);
	join(command->text);
	command->word[0] = '\0'; /* the child has nothing to answer: it has said its name */
	return 0;
}

static long do_exit(struct command *command)
{
	_exit((int)command->arguments[0]);
}

static const struct {
	const char *word;
	long (*act)(struct command *command);
} actions[] = {
	{"open", do_open},	   {"write", do_write}, {"pwrite", do_pwrite},
	{"close", do_close},	   {"dup", do_dup},	{"dup2", do_dup2},
	{"fsync", do_fsync},	   {"cut", do_cut},	{"exec", do_exec},
	{"fork", do_fork},	   {"exit", do_exit},	{"unlink", do_unlink},
	{"allocate", do_allocate},
};

static void *act(void *context)
{
	struct command *command = context;

	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (!strcmp(actions[i].word, command->word)) {
			errno = 0;
			command->value = actions[i].act(command);
			command->error = command->value < 0 ? errno : 0;
			return NULL;
		}
	command->error = ENOSYS;
	return NULL;
}

/* In a thread of its own, as Go and Node do it, or in the first one. */
static void carry_out(struct command *command, int threaded)
{
	pthread_t thread;

	if (!threaded)
		act(command);
	else if (pthread_create(&thread, NULL, act, command) || pthread_join(thread, NULL))
		_exit(95);
}

static void obey(char *packet, size_t length)
{
	struct command command = {0};
	char *line_end = memchr(packet, '\n', length);
	int threaded = 0;

	packet[length] = '\0';
	if (line_end) {
		*line_end = '\0';
		command.data = line_end + 1;
		command.length = length - (size_t)(command.data - packet);
	}
	sscanf(packet, "%d %15s %ld %ld %255s", &threaded, command.word, &command.arguments[0],
	       &command.arguments[1], command.text);
	carry_out(&command, threaded);
	if (command.word[0])
		answer(command.error, command.value);
}

int main(int count, char **words)
{
	static char packet[PACKET_MAX + 1];
	ssize_t length;

	program = words[0];
	address = words[1];
	signal(SIGCHLD, SIG_IGN);
	if (count > 2)
		join(words[2]);
	else
		answer(0, 0); /* executed anew */
	while ((length = recv(SOCKET, packet, PACKET_MAX, 0)) > 0)
		obey(packet, (size_t)length);
	return 0;
}
