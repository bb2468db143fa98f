/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a certificate says of itself, for people and for `hotdesk doctor`. Pure. */
#ifndef GATE_CERTIFICATE_FACTS_H
#define GATE_CERTIFICATE_FACTS_H

#include <stdint.h>

struct certificate_facts {
	char subject[512], issuer[512]; /* RFC 2253 */
	char names[4096];               /* subject alternative names: "DNS:a, IP Address:192.0.2.1"; cut when longer */
	char fingerprint[96];           /* SHA-256, "AB:CD:..." */
	int64_t not_before, not_after;  /* seconds since the epoch */
};

/* Of the first certificate of a PEM text. -EINVAL: there is none, or it is damaged. */
int certificate_facts(const char *pem, struct certificate_facts *ret);

/* Whole days from now until `end`, rounded down; negative once it is over. */
int64_t certificate_days_left(int64_t end, int64_t now);

#endif
