/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The gate's certificate: the administrator's PEM files, or a server certificate signed by an own CA, both made at
 * first start (EC P-256; RFC 5280). DIRECTORY holds ca.pem (for the viewers), ca.key, cert.pem and key.pem (mode 0600).
 */
#ifndef GATE_CERTIFICATE_H
#define GATE_CERTIFICATE_H

#include "common/error.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

struct certificate {
	char *chain; /* PEM: the server's certificate and what it is signed by */
	char *key;   /* PEM */
};

void certificate_clear(struct certificate *certificate);

/*
 * Own CA: makes what is missing; makes the server's certificate again when it ends within 30 days or its names (this
 * machine's host names and addresses, and `extra`, comma separated) changed.
 */
int certificate_own(const char *directory, const char *extra, struct certificate *ret, struct error *err);

/*
 * A new key and certificate for the server by the own CA, whatever is there. The key is replaced before the
 * certificate, each by rename; cut off in between, certificate_own makes the pair again. -ENOENT: there is no own CA;
 * none is made.
 */
int certificate_renew(const char *directory, const char *extra, struct error *err);

/* The administrator's files: readable, matching and not expired, or an error that says what to do. */
int certificate_load(const char *chain_path, const char *key_path, struct certificate *ret, struct error *err);

/* The first certificate of a PEM text; the caller's (X509_free). NULL: there is none. */
X509 *certificate_x509(const char *pem);

/* "AB:CD:..." SHA-256 of the first certificate of a PEM text. */
int certificate_fingerprint(const char *chain, char text[96]);

/* A server context: TLS 1.2 and 1.3 (RFC 8446), no renegotiation, compression or tickets. NULL with err. */
SSL_CTX *certificate_context(const struct certificate *certificate, struct error *err);

#endif
