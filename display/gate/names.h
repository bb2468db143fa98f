/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What viewers may call this machine: the certificate's subject alternative names. */
#ifndef GATE_NAMES_H
#define GATE_NAMES_H

/*
 * "DNS:host,DNS:localhost,IP:127.0.0.1,..." as OpenSSL's x509v3_config(5) takes it: the host name, its aliases in
 * /etc/hosts (no name server is asked), all interfaces' addresses and `extra` (comma separated; what is neither an
 * address nor a DNS name is left out). Sorted, without duplicates. Caller frees; NULL: out of memory.
 */
char *names_of_host(const char *extra);

#endif
