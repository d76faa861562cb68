/*
 * The bare HTTP request: sends the same body again and again over one connection, as libcurl does
 * by itself, and prints how many seconds all of it took, the best request, and the median one.
 *
 *     request URL METHOD BODY COUNT TOKEN
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static size_t drop(char *data, size_t size, size_t count, void *context)
{
	(void)data;
	(void)context;
	return size * count;
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static CURL *prepare(char **words, char *body, long length)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	char token[256];
	CURL *easy = curl_easy_init();

	snprintf(token, sizeof token, "Fastly-Key: %s", words[5]);
	headers = curl_slist_append(headers, token);
	curl_easy_setopt(easy, CURLOPT_URL, words[1]);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, words[2]);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, length);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
	curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
	return easy;
}

int main(int argc, char **argv)
{
	static char body[1 << 20];
	unsigned count = argc == 6 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
	FILE *file = count ? fopen(argv[3], "r") : NULL;
	double *seconds = calloc(count + 1, sizeof *seconds), begun = now();
	CURL *easy;

	if (!file || !seconds)
		return fprintf(stderr, "usage: %s URL METHOD BODY COUNT TOKEN\n", argv[0]), 2;
	easy = prepare(argv, body, (long)fread(body, 1, sizeof body, file));
	for (unsigned i = 0; i < count; i++) {
		double each = now();
		CURLcode failed = curl_easy_perform(easy);

		if (failed)
			return fprintf(stderr, "request: %s\n", curl_easy_strerror(failed)), 1;
		seconds[i] = now() - each;
	}
	begun = now() - begun;
	qsort(seconds, count, sizeof *seconds, compare);
	printf("%.6f %.6f %.6f\n", begun, seconds[0], seconds[count / 2]);
	return 0;
}
