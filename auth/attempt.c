/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/attempt.h"

#include "auth/identity.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/packet.h"
#include "common/secret.h"

#include <errno.h>
#include <security/pam_appl.h>
#include <string.h>

#define PROMPTS_MAX 16 /* of one conversation call; Linux-PAM's own limit is 32 */

/* The length of the UTF-8 sequence at text (RFC 3629, Unicode table 3-7), 0 when it is none. */
static size_t utf8_sequence(const unsigned char *text)
{
	size_t length = text[0] < 0x80 ? 1 : text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	unsigned first = text[0];

	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, a surrogate, or behind U+10FFFF. */
	if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
	    (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

/* C0 and C1 control characters and DEL. */
static int is_control(const unsigned char *at)
{
	return *at < 0x20 || *at == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0);
}

int attempt_name_valid(const char *name)
{
	const unsigned char *at = (const unsigned char *)name;
	size_t length = strlen(name);

	if (length == 0 || length >= ATTEMPT_NAME_MAX)
		return 0;
	while (*at) {
		size_t step = utf8_sequence(at);

		if (step == 0 || is_control(at) || *at == '/' || *at == ':')
			return 0;
		at += step;
	}
	return 1;
}

void attempt_text_clean(char *text)
{
	while (*text) {
		size_t step = utf8_sequence((unsigned char *)text);

		if (step == 0)
			step = 1;
		else if (!is_control((unsigned char *)text)) {
			text += step;
			continue;
		}
		memset(text, '?', step);
		text += step;
	}
}

static void responses_free(struct pam_response *responses, int n)
{
	for (int i = 0; i < n; i++)
		if (responses[i].resp) {
			explicit_bzero(responses[i].resp, strlen(responses[i].resp));
			free(responses[i].resp);
		}
	free(responses);
}

/* pam_conv(3). Only hidden prompts get the password: nothing else can be asked over VNC. */
static int converse(int n, const struct pam_message **messages, struct pam_response **ret, void *userdata)
{
	const struct secret *password = userdata;
	struct pam_response *responses;

	if (n <= 0 || n > PROMPTS_MAX)
		return PAM_CONV_ERR;
	responses = calloc((size_t)n, sizeof(*responses));
	if (!responses)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		int style = messages[i]->msg_style;

		if (style == PAM_PROMPT_ECHO_OFF)
			responses[i].resp = strdup(password->data);
		if (style == PAM_PROMPT_ECHO_ON || (style == PAM_PROMPT_ECHO_OFF && !responses[i].resp)) {
			responses_free(responses, n);
			return PAM_CONV_ERR;
		}
	}
	*ret = responses;
	return PAM_SUCCESS;
}

static enum auth_result result_of_authenticate(int status)
{
	switch (status) {
	case PAM_SUCCESS:
		return AUTH_OK;
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_CRED_INSUFFICIENT:
		return AUTH_DENIED;
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
		return AUTH_EXPIRED;
	case PAM_PERM_DENIED:
		return AUTH_LOCKED;
	default:
		return AUTH_FAILED;
	}
}

static enum auth_result result_of_account(int status)
{
	switch (status) {
	case PAM_SUCCESS:
		return AUTH_OK;
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_AUTHTOK_EXPIRED:
		return AUTH_EXPIRED;
	case PAM_AUTH_ERR:
	case PAM_PERM_DENIED:
		return AUTH_LOCKED;
	case PAM_USER_UNKNOWN:
		return AUTH_DENIED;
	default:
		return AUTH_FAILED;
	}
}

static int pam_open(const struct attempt_request *request, const struct pam_conv *conversation, pam_handle_t **ret)
{
	if (request->directory[0] != '\0')
		return pam_start_confdir(request->service, request->name, conversation, request->directory, ret);
	return pam_start(request->service, request->name, conversation, ret);
}

/* Both, always: an account may be expired or locked with the right password. */
static enum auth_result pam_ask(pam_handle_t *pam, const struct attempt_request *request)
{
	enum auth_result result;
	int status;

	if (pam_set_item(pam, PAM_RHOST, request->peer) != PAM_SUCCESS ||
	    pam_set_item(pam, PAM_TTY, "hotdesk") != PAM_SUCCESS)
		return AUTH_FAILED;
	status = pam_authenticate(pam, PAM_DISALLOW_NULL_AUTHTOK);
	result = result_of_authenticate(status);
	if (result == AUTH_OK) {
		status = pam_acct_mgmt(pam, PAM_DISALLOW_NULL_AUTHTOK);
		result = result_of_account(status);
		/* Nothing is to outlive the question, like a ticket in a file; a module that has none may fail. */
		(void)pam_setcred(pam, PAM_DELETE_CRED | PAM_SILENT);
	}
	if (result == AUTH_FAILED)
		log_error("PAM service %s cannot work: %s: see its file and the system log", request->service,
			  pam_strerror(pam, status));
	return result;
}

/* After PAM agreed only, so that a stranger learns nothing about names. */
static enum auth_result identity_of(pam_handle_t *pam, const struct attempt_request *request,
				    struct attempt_result *result)
{
	const void *user = NULL;

	if (pam_get_item(pam, PAM_USER, &user) != PAM_SUCCESS || !user || !attempt_name_valid(user))
		return AUTH_FAILED;
	if (identity_look_up(user, result) < 0)
		return AUTH_FAILED;
	if (result->uid == 0)
		return request->allow_root ? AUTH_OK : AUTH_NOT_PERMITTED;
	if (result->uid < request->min_uid || strcmp(result->name, "root") == 0)
		return AUTH_NOT_PERMITTED;
	return AUTH_OK;
}

static enum auth_result attempt(const struct attempt_request *request, struct secret *password,
				struct attempt_result *result)
{
	const struct pam_conv conversation = {converse, password};
	enum auth_result answer;
	pam_handle_t *pam = NULL;
	int status = pam_open(request, &conversation, &pam);

	if (status != PAM_SUCCESS) {
		log_error("PAM service %s cannot be opened%s%s: %s", request->service,
			  request->directory[0] ? " in " : "", request->directory, pam_strerror(pam, status));
		return AUTH_FAILED;
	}
	answer = pam_ask(pam, request);
	if (answer == AUTH_OK)
		answer = identity_of(pam, request, result);
	pam_end(pam, answer == AUTH_OK ? PAM_SUCCESS : PAM_AUTH_ERR);
	return answer;
}

int attempt_main(void)
{
	_cleanup_(secret_freep) struct secret *password = NULL;
	static struct attempt_result result;
	struct attempt_request request;

	if (packet_recv(ATTEMPT_SOCKET_FD, &request, sizeof(request), NULL, 0, NULL) != 1 ||
	    secret_from_memfd(ATTEMPT_PASSWORD_FD, &password) < 0)
		return 1;
	close(ATTEMPT_PASSWORD_FD);
	/* A password that holds a NUL cannot be typed into PAM whole: it is wrong. */
	if (strlen(password->data) != password->length)
		result.result = AUTH_DENIED;
	else
		result.result = attempt(&request, password, &result);
	if (result.result != AUTH_OK)
		result = (struct attempt_result){.result = result.result};
	return packet_send(ATTEMPT_SOCKET_FD, &result, sizeof(result), NULL, 0) < 0;
}
