/* Prints --help and --version. */
#define FUSE_USE_VERSION 314
#include <curl/curl.h>
#include <fuse_lowlevel.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>

#include "options.h"

static const struct {
	const char *form, *shows;
} forms[] = {
	{"fastly:", "one directory a store"},
	{"fastly:STORE", "the secrets of that store"},
	{"cloudflare:ACCOUNT_ID", "one directory a store"},
	{"cloudflare:ACCOUNT_ID/STORE", "the secrets of that store"},
	{"stripe:", "account, and one directory a user"},
	{"stripe:account, stripe:usr_ID", "the secrets of that scope"},
	{"github:OWNER/REPO", "actions and the like, and one directory an environment"},
	{"github:OWNER/REPO/STORE", "the secrets of one of them"},
	{"github:ORG", "actions and the like of an organization"},
};

void config_print_help(void)
{
	printf("usage: sstorefs SOURCE MOUNTPOINT [-o OPTIONS] [-f] [-d]\n"
	       "       mount -t fuse.sstorefs SOURCE MOUNTPOINT -o OPTIONS\n"
	       "       sstorefs --check SOURCE|MOUNTPOINT [-o OPTIONS] [--json] [--alive]\n"
	       "\n"
	       "Mounts secret stores as directories of write-only files.\n"
	       "\n"
	       "SOURCE\n");
	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		printf("  %-34s %s\n", forms[i].form, forms[i].shows);
	printf("\n"
	       "  -o OPTIONS                         options, with commas between them\n"
	       "  -f, --foreground                   stay in the foreground, log to stderr\n"
	       "  -d, --debug                        the same, and log every step\n"
	       "  --check                            mount nothing; say whether it would work, or how a mount is\n"
	       "  --json                             the same as JSON\n"
	       "  --alive                            with --check of a mount: only whether its daemon answers\n"
	       "  -h, --help                         this text\n"
	       "  -V, --version                      versions of sstorefs and of its libraries\n"
	       "\n"
	       "OPTIONS\n");
	for (unsigned i = 0; i < option_count; i++) {
		const struct mount_option *option = &options[i];
		int width;

		if (!option->help)
			continue;
		width = printf("  %s%s%s", option->name, option->argument ? "=" : "",
			       option->argument ? option->argument : "");
		printf("%*s%s\n", width < 37 ? 37 - width : 1, "", option->help);
	}
	printf("\nThe whole story is in sstorefs(1).\n");
}

void config_print_version(void)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);

	printf("sstorefs %s\n", SSTOREFS_VERSION);
	printf("libfuse %s\n", fuse_pkgversion());
	printf("libcurl %s (%s)\n", curl->version,
	       curl->ssl_version ? curl->ssl_version : "no TLS");
	printf("jansson %s\n", jansson_version_str());
	printf("libsodium %s\n", sodium_version_string());
}
