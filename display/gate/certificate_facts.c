/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/gate/certificate_facts.h"

#include "display/gate/certificate.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <string.h>

#define DAY_SECONDS 86400

/* What was printed, as one line into buffer; the bio is freed. */
static int take_text(BIO *bio, int printed, char *buffer, size_t size)
{
	char *data = NULL;
	long length = bio ? BIO_get_mem_data(bio, &data) : 0;

	if (bio && printed)
		snprintf(buffer, size, "%.*s", (int)length, length > 0 ? data : "");
	BIO_free(bio);
	buffer[strcspn(buffer, "\n")] = '\0';
	return bio && printed ? 0 : -ENOMEM;
}

static int name_text(const X509_NAME *name, char *buffer, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());

	return take_text(bio, bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0, buffer, size);
}

/* "" where there are none. */
static int names_text(X509 *certificate, char *buffer, size_t size)
{
	int at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
	BIO *bio;

	buffer[0] = '\0';
	if (at < 0)
		return 0;
	bio = BIO_new(BIO_s_mem());
	return take_text(bio, bio && X509V3_EXT_print(bio, X509_get_ext(certificate, at), 0, 0) == 1, buffer, size);
}

static int seconds_of(const ASN1_TIME *time, int64_t *ret)
{
	struct tm parts;

	if (ASN1_TIME_to_tm(time, &parts) != 1)
		return -EINVAL;
	*ret = timegm(&parts);
	return 0;
}

int certificate_facts(const char *pem, struct certificate_facts *ret)
{
	struct certificate_facts facts = {0};
	X509 *certificate = certificate_x509(pem);
	int r = certificate ? certificate_fingerprint(pem, facts.fingerprint) : -EINVAL;

	if (r == 0)
		r = name_text(X509_get_subject_name(certificate), facts.subject, sizeof(facts.subject));
	if (r == 0)
		r = name_text(X509_get_issuer_name(certificate), facts.issuer, sizeof(facts.issuer));
	if (r == 0)
		r = names_text(certificate, facts.names, sizeof(facts.names));
	if (r == 0)
		r = seconds_of(X509_get0_notBefore(certificate), &facts.not_before);
	if (r == 0)
		r = seconds_of(X509_get0_notAfter(certificate), &facts.not_after);
	X509_free(certificate);
	if (r == 0)
		*ret = facts;
	return r;
}

int64_t certificate_days_left(int64_t end, int64_t now)
{
	int64_t left = end - now;

	return left >= 0 ? left / DAY_SECONDS : -((-left + DAY_SECONDS - 1) / DAY_SECONDS);
}
