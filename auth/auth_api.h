/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * org.hotdesk.Auth1 at RUNTIME_DIR/auth/auth.sock, object /org/hotdesk/Auth1:
 *   Hello(u version) -> (u version)
 *   Authenticate(s name, h password, s peer) -> (u result, s text, s name, u uid, u gid, as groups, s full_name)
 * `password` is a memfd of common/secret.h. With result != AUTH_OK the identity fields are empty and text is for the
 * person. Wrong password and unknown user are the same result and text.
 */
#ifndef AUTH_API_H
#define AUTH_API_H

#define AUTH_API_VERSION 1
#define AUTH_API_PATH "/org/hotdesk/Auth1"
#define AUTH_API_INTERFACE "org.hotdesk.Auth1"
#define AUTH_UID_UNKNOWN 0xffffffffu /* the name is not known to NSS: the broker gives a uid */

enum auth_result {
	AUTH_OK,
	AUTH_DENIED,        /* wrong name or password */
	AUTH_EXPIRED,       /* account expired or password must be changed */
	AUTH_LOCKED,        /* account locked, or refused by PAM's account stack */
	AUTH_NOT_PERMITTED, /* root or a system account */
	AUTH_BUSY,          /* all attempts in use; try again */
	AUTH_FAILED,        /* PAM could not work: the log says why */
};

#endif
