/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/gate/certificate.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "display/gate/names.h"

#include <errno.h>
#include <limits.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#define CA_DAYS 3650
#define SERVER_DAYS 730
#define RENEW_DAYS 30
#define PEM_MAX (1u << 20)
#define DAY_SECONDS 86400L

static void pkey_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void x509_freep(X509 **certificate)
{
	X509_free(*certificate);
}

static void bio_freep(BIO **bio)
{
	BIO_free(*bio);
}

#define _cleanup_pkey_ _cleanup_(pkey_freep)
#define _cleanup_x509_ _cleanup_(x509_freep)
#define _cleanup_bio_ _cleanup_(bio_freep)

static int openssl_error(struct error *err, const char *what)
{
	char text[160] = "unknown error";
	unsigned long code = ERR_get_error();

	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return error_set(err, -EIO, "%s: %s", what, text);
}

void certificate_clear(struct certificate *certificate)
{
	if (certificate->key)
		explicit_bzero(certificate->key, strlen(certificate->key));
	free(certificate->chain);
	free(certificate->key);
	*certificate = (struct certificate){0};
}

X509 *certificate_x509(const char *pem)
{
	_cleanup_bio_ BIO *bio = BIO_new_mem_buf(pem, -1);

	return bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
}

static EVP_PKEY *key_from_pem(const char *pem)
{
	_cleanup_bio_ BIO *bio = BIO_new_mem_buf(pem, -1);

	/* A key with a passphrase would ask on the terminal: an empty one is given instead, and fails. */
	return bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, "") : NULL;
}

static int write_bio(BIO *bio, const char *path, mode_t mode)
{
	char *data;
	long size = BIO_get_mem_data(bio, &data);

	return size <= 0 ? -ENOMEM : fs_write_atomic(path, data, (size_t)size, mode);
}

static int save_key(EVP_PKEY *key, const char *path)
{
	_cleanup_bio_ BIO *bio = BIO_new(BIO_s_secmem());

	if (!bio || !PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
		return -ENOMEM;
	return write_bio(bio, path, 0600);
}

static int save_certificates(X509 *first, X509 *second, const char *path)
{
	_cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());

	if (!bio || !PEM_write_bio_X509(bio, first) || (second && !PEM_write_bio_X509(bio, second)))
		return -ENOMEM;
	return write_bio(bio, path, 0644);
}

static int add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	int ok;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	if (!extension)
		return -EINVAL;
	ok = X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	return ok ? 0 : -ENOMEM;
}

static int set_common(X509 *certificate, EVP_PKEY *key, const char *common_name, long days)
{
	X509_NAME *name = X509_get_subject_name(certificate);
	unsigned char serial[16];
	BIGNUM *number;
	int ok;

	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return -EIO;
	serial[0] = (serial[0] & 0x7f) | 0x40; /* positive and of full length (RFC 5280 section 4.1.2.2) */
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
	BN_free(number);
	/* An hour back, for viewers whose clock is behind. */
	return ok && X509_set_version(certificate, X509_VERSION_3) &&
		       X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) &&
		       X509_gmtime_adj(X509_getm_notAfter(certificate), days * DAY_SECONDS) &&
		       X509_set_pubkey(certificate, key) &&
		       X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"hotdesk", -1, -1,
						  0) &&
		       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1,
						  0)
		   ? 0
		   : -ENOMEM;
}

static X509 *make_ca(EVP_PKEY *key)
{
	_cleanup_x509_ X509 *ca = X509_new();
	char host[65] = "", name[96];

	gethostname(host, sizeof(host) - 1);
	snprintf(name, sizeof(name), "hotdesk CA of %.40s", host);
	if (!ca || set_common(ca, key, name, CA_DAYS) < 0 || !X509_set_issuer_name(ca, X509_get_subject_name(ca)) ||
	    add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") < 0 ||
	    add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") < 0 ||
	    add_extension(ca, ca, NID_subject_key_identifier, "hash") < 0 || !X509_sign(ca, key, EVP_sha256()))
		return NULL;
	return steal_ptr(ca);
}

static X509 *make_server(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const char *names)
{
	_cleanup_x509_ X509 *server = X509_new();
	char host[65] = "";

	gethostname(host, sizeof(host) - 1);
	if (!server || set_common(server, key, host[0] ? host : "hotdesk", SERVER_DAYS) < 0 ||
	    !X509_set_issuer_name(server, X509_get_subject_name(ca)) ||
	    add_extension(server, ca, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
	    add_extension(server, ca, NID_key_usage, "critical,digitalSignature") < 0 ||
	    add_extension(server, ca, NID_ext_key_usage, "serverAuth") < 0 ||
	    add_extension(server, ca, NID_subject_key_identifier, "hash") < 0 ||
	    add_extension(server, ca, NID_authority_key_identifier, "keyid") < 0 ||
	    add_extension(server, ca, NID_subject_alt_name, names) < 0 || !X509_sign(server, ca_key, EVP_sha256()))
		return NULL;
	return steal_ptr(server);
}

struct own_paths {
	char ca[PATH_MAX], ca_key[PATH_MAX], cert[PATH_MAX], key[PATH_MAX], names[PATH_MAX];
};

static int own_paths_make(const char *directory, struct own_paths *paths)
{
	int r = fs_path(paths->ca, PATH_MAX, "%s/ca.pem", directory);

	r = r < 0 ? r : fs_path(paths->ca_key, PATH_MAX, "%s/ca.key", directory);
	r = r < 0 ? r : fs_path(paths->cert, PATH_MAX, "%s/cert.pem", directory);
	r = r < 0 ? r : fs_path(paths->key, PATH_MAX, "%s/key.pem", directory);
	return r < 0 ? r : fs_path(paths->names, PATH_MAX, "%s/cert.names", directory);
}

static int own_ca(const struct own_paths *paths, X509 **ret_ca, EVP_PKEY **ret_key, struct error *err)
{
	_cleanup_free_ char *pem = NULL, *key_pem = NULL;
	_cleanup_pkey_ EVP_PKEY *key = NULL;
	_cleanup_x509_ X509 *ca = NULL;
	int r = fs_read_file(paths->ca, PEM_MAX, &pem, NULL),
	    r_key = fs_read_file(paths->ca_key, PEM_MAX, &key_pem, NULL);

	/* ca.pem is written last: without it no viewer can know the CA. */
	if (r == -ENOENT) {
		key = EVP_EC_gen("P-256");
		ca = key ? make_ca(key) : NULL;
		if (!ca)
			return openssl_error(err, "cannot make the CA");
		r = save_key(key, paths->ca_key);
		if (r == 0)
			r = save_certificates(ca, NULL, paths->ca);
		if (r < 0)
			return error_set_errno(err, r, "cannot write the CA to %s", paths->ca);
	} else {
		if (r < 0 || r_key < 0)
			return error_set_errno(err, r < 0 ? r : r_key,
					       "cannot read the own CA; restore %s and %s or remove both", paths->ca,
					       paths->ca_key);
		ca = certificate_x509(pem);
		key = key_from_pem(key_pem);
		explicit_bzero(key_pem, strlen(key_pem));
		if (!ca || !key || X509_check_private_key(ca, key) != 1)
			return openssl_error(err, "the own CA is damaged; restore ca.pem and ca.key or remove both");
	}
	*ret_ca = steal_ptr(ca);
	*ret_key = steal_ptr(key);
	return 0;
}

/* Whether cert.pem and key.pem belong together and to the CA, carry these names, and hold for a while. */
static int own_server_good(const struct own_paths *paths, X509 *ca, const char *names)
{
	_cleanup_free_ char *pem = NULL, *key_pem = NULL, *had = NULL;
	_cleanup_pkey_ EVP_PKEY *key = NULL;
	_cleanup_x509_ X509 *cert = NULL;
	time_t limit = time(NULL) + RENEW_DAYS * DAY_SECONDS;

	if (fs_read_file(paths->cert, PEM_MAX, &pem, NULL) < 0 ||
	    fs_read_file(paths->key, PEM_MAX, &key_pem, NULL) < 0 ||
	    fs_read_file(paths->names, PEM_MAX, &had, NULL) < 0 || strcmp(had, names) != 0)
		return 0;
	cert = certificate_x509(pem);
	key = key_from_pem(key_pem);
	explicit_bzero(key_pem, strlen(key_pem));
	return cert && key && X509_check_private_key(cert, key) == 1 && X509_verify(cert, X509_get0_pubkey(ca)) == 1 &&
	       X509_cmp_time(X509_get0_notAfter(cert), &limit) > 0;
}

static int own_server_make(const struct own_paths *paths, X509 *ca, EVP_PKEY *ca_key, const char *names,
			   struct error *err)
{
	_cleanup_pkey_ EVP_PKEY *key = EVP_EC_gen("P-256");
	_cleanup_x509_ X509 *cert = key ? make_server(key, ca, ca_key, names) : NULL;
	int r;

	if (!cert)
		return openssl_error(err, "cannot make the server's certificate");
	/* The names last: without them the next start makes the pair again. */
	unlink(paths->names);
	r = save_key(key, paths->key);
	if (r == 0)
		r = save_certificates(cert, ca, paths->cert);
	if (r == 0)
		r = fs_write_atomic(paths->names, names, strlen(names), 0644);
	return r < 0 ? error_set_errno(err, r, "cannot write the server's certificate to %s", paths->cert) : 0;
}

static int read_pair(const char *chain_path, const char *key_path, struct certificate *ret, struct error *err)
{
	int r = fs_read_file(chain_path, PEM_MAX, &ret->chain, NULL);

	if (r < 0)
		return error_set_errno(err, r, "cannot read the certificate %s", chain_path);
	r = fs_read_file(key_path, PEM_MAX, &ret->key, NULL);
	return r < 0 ? error_set_errno(err, r, "cannot read the key %s", key_path) : 0;
}

/* The files in the directory, and the names that the certificate is to carry; they are the caller's. */
static int own_begin(const char *directory, const char *extra, struct own_paths *paths, char **ret_names,
		     struct error *err)
{
	int r = own_paths_make(directory, paths);

	*ret_names = r < 0 ? NULL : names_of_host(extra);
	if (r == 0 && !*ret_names)
		r = -ENOMEM;
	if (r < 0)
		error_set_errno(err, r, "cannot name the certificate's files");
	return r;
}

int certificate_own(const char *directory, const char *extra, struct certificate *ret, struct error *err)
{
	_cleanup_free_ char *names = NULL;
	_cleanup_pkey_ EVP_PKEY *ca_key = NULL;
	_cleanup_x509_ X509 *ca = NULL;
	struct own_paths paths;
	int r = own_begin(directory, extra, &paths, &names, err);

	if (r < 0)
		return r;
	r = own_ca(&paths, &ca, &ca_key, err);
	if (r == 0 && !own_server_good(&paths, ca, names))
		r = own_server_make(&paths, ca, ca_key, names, err);
	return r < 0 ? r : read_pair(paths.cert, paths.key, ret, err);
}

int certificate_renew(const char *directory, const char *extra, struct error *err)
{
	_cleanup_free_ char *names = NULL;
	_cleanup_pkey_ EVP_PKEY *ca_key = NULL;
	_cleanup_x509_ X509 *ca = NULL;
	struct own_paths paths;
	int r = own_begin(directory, extra, &paths, &names, err);

	if (r < 0)
		return r;
	/* Else the CA would be made here. */
	if (access(paths.ca, F_OK) < 0 && errno == ENOENT)
		return error_set(err, -ENOENT, "there is no own CA in %s: hotdesk-gate makes it at its first start",
				 directory);
	r = own_ca(&paths, &ca, &ca_key, err);
	return r < 0 ? r : own_server_make(&paths, ca, ca_key, names, err);
}

int certificate_load(const char *chain_path, const char *key_path, struct certificate *ret, struct error *err)
{
	_cleanup_(certificate_clear) struct certificate pair = {0};
	_cleanup_pkey_ EVP_PKEY *key = NULL;
	_cleanup_x509_ X509 *cert = NULL;
	int r = read_pair(chain_path, key_path, &pair, err);

	if (r < 0)
		return r;
	cert = certificate_x509(pair.chain);
	if (!cert)
		return error_set(err, -EINVAL, "[gate] certificate: %s holds no PEM certificate", chain_path);
	key = key_from_pem(pair.key);
	if (!key)
		return openssl_error(err, "[gate] key is not an unencrypted PEM private key");
	if (X509_check_private_key(cert, key) != 1)
		return openssl_error(err, "[gate] certificate and key do not belong together");
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		return error_set(err, -EKEYEXPIRED, "the certificate %s has expired: renew it, then send SIGHUP",
				 chain_path);
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		return error_set(err, -EKEYREJECTED, "the certificate %s is not valid yet: see this machine's clock",
				 chain_path);
	*ret = pair;
	pair = (struct certificate){0};
	return 0;
}

int certificate_fingerprint(const char *chain, char text[96])
{
	_cleanup_x509_ X509 *cert = certificate_x509(chain);
	unsigned char digest[32];
	unsigned size = sizeof(digest);

	if (!cert || !X509_digest(cert, EVP_sha256(), digest, &size))
		return -EINVAL;
	for (unsigned i = 0; i < size; i++)
		snprintf(text + (size_t)i * 3, 4, i + 1 < size ? "%02X:" : "%02X", digest[i]);
	return 0;
}

static int context_add_chain(SSL_CTX *context, const char *chain)
{
	_cleanup_bio_ BIO *bio = BIO_new_mem_buf(chain, -1);
	_cleanup_x509_ X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	X509 *more;

	if (!cert || SSL_CTX_use_certificate(context, cert) != 1)
		return -EINVAL;
	while ((more = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		if (SSL_CTX_add0_chain_cert(context, more) != 1) {
			X509_free(more);
			return -EINVAL;
		}
	ERR_clear_error(); /* the end of the file */
	return 0;
}

SSL_CTX *certificate_context(const struct certificate *certificate, struct error *err)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	_cleanup_pkey_ EVP_PKEY *key = key_from_pem(certificate->key);

	if (!context || !key || !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
	    !SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") ||
	    context_add_chain(context, certificate->chain) < 0 || SSL_CTX_use_PrivateKey(context, key) != 1 ||
	    SSL_CTX_check_private_key(context) != 1) {
		openssl_error(err, "cannot use the certificate");
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
					 SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 0);
	return context;
}
