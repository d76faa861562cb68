/* Keeps libraries that come with libcurl from initializing themselves when they are loaded. */

/*
 * GnuTLS, which libcurl's LDAP and RTMP bring along where its own TLS is OpenSSL: its constructor
 * would make random numbers, test itself and look for tokens, an eighth of the time that loading
 * takes and a twelfth of the bare process's memory. Who needs GnuTLS, as a libcurl that is built
 * with it, initializes it himself. The name is GnuTLS's documented way to say so.
 */
int _gnutls_global_init_skip(void);
__attribute__((visibility("default"))) int _gnutls_global_init_skip(void)
{
	return 1;
}
