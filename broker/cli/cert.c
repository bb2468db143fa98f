/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/cert.h"

#include "broker/admin_json.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "display/gate/certificate.h"
#include "display/gate/certificate_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define PEM_MAX (1u << 20)
#define PID_TEXT_MAX 32

int cert_paths(const struct conf *conf, char *certificate, char *directory)
{
	const char *given = conf_string(conf, CONF_GATE_CERTIFICATE);
	int r;

	directory[0] = '\0';
	if (given[0])
		return fs_path(certificate, PATH_MAX, "%s", given);
	r = fs_path(directory, PATH_MAX, "%s/gate", conf_string(conf, CONF_STATE_DIR));
	return r < 0 ? r : fs_path(certificate, PATH_MAX, "%s/cert.pem", directory);
}

static int read_pem(const char *path, bool own, char **ret, struct error *err)
{
	int r = fs_read_file(path, PEM_MAX, ret, NULL);

	if (r == -ENOENT && own)
		return error_set(err, r, "%s is not there: hotdesk-gate makes it at its first start", path);
	if (r == -EACCES)
		return error_set(err, r, "%s may not be read: run it as root (sudo hotdesk ...)", path);
	return r < 0 ? error_set_errno(err, r, "cannot read %s", path) : 0;
}

static int show(const struct conf *conf, const char *path, const char *directory, char **ret, struct error *err)
{
	_cleanup_(json_putp) struct json_object *reply = json_object_new_object();
	_cleanup_free_ char *pem = NULL;
	struct certificate_facts facts;
	char key[PATH_MAX], ca[PATH_MAX];
	int r = read_pem(path, directory[0], &pem, err);

	if (r < 0)
		return r;
	r = certificate_facts(pem, &facts);
	if (r < 0)
		return error_set(err, r, "%s holds no certificate in PEM", path);
	if (fs_path(key, sizeof(key), "%s/key.pem", directory) < 0 ||
	    fs_path(ca, sizeof(ca), "%s/ca.pem", directory) < 0)
		return error_set(err, -ENAMETOOLONG, "state-dir of the configuration is too long");
	json_add_text(reply, "subject", facts.subject);
	json_add_text(reply, "names", facts.names);
	json_add_text(reply, "sha256", facts.fingerprint);
	json_add_text(reply, "issuer", facts.issuer);
	json_add_time(reply, "not_before", facts.not_before);
	json_add_time(reply, "not_after", facts.not_after);
	json_add_number(reply, "days_left", certificate_days_left(facts.not_after, time(NULL)));
	json_add_text(reply, "certificate", path);
	json_add_text(reply, "key", directory[0] ? key : conf_string(conf, CONF_GATE_KEY));
	json_add(reply, "ca", directory[0] ? json_object_new_string(ca) : NULL);
	*ret = strdup(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_NOSLASHESCAPE));
	return *ret ? 0 : error_set(err, -ENOMEM, "out of memory");
}

/* Where the starter or its unit noted the gate's pid; 0: nowhere, or it is another program's by now. */
static pid_t gate_pid(const struct conf *conf)
{
	_cleanup_free_ char *text = NULL, *name = NULL;
	char path[PATH_MAX];
	long pid;

	if (fs_path(path, sizeof(path), "%s/starter/gate.pid", conf_string(conf, CONF_RUNTIME_DIR)) < 0 ||
	    fs_read_file(path, PID_TEXT_MAX, &text, NULL) < 0)
		return 0;
	pid = strtol(text, NULL, 10);
	if (pid <= 1 || pid > INT_MAX || fs_path(path, sizeof(path), "/proc/%ld/comm", pid) < 0 ||
	    fs_read_file(path, PID_TEXT_MAX, &name, NULL) < 0)
		return 0;
	return strcmp(name, "hotdesk-gate\n") == 0 ? (pid_t)pid : 0;
}

/* root must not write where another user may put links, and the gate has to read what is written. */
static int become_owner(const char *directory, struct error *err)
{
	struct stat st;

	if (stat(directory, &st) < 0)
		return error_set(err, -errno, "cannot look at %s: %s; hotdesk-gate makes it at its first start",
				 directory, strerror(errno));
	if (geteuid() == st.st_uid)
		return 0;
	if (geteuid() != 0)
		return error_set(err, -EPERM, "%s belongs to the gate's user: run it as root (sudo hotdesk ...)",
				 directory);
	if (setgroups(0, NULL) < 0 || setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid) < 0)
		return error_set(err, -errno, "cannot become the owner of %s: %s", directory, strerror(errno));
	return 0;
}

static int renew(const struct conf *conf, const char *path, const char *directory, char **ret, struct error *err)
{
	_cleanup_(json_putp) struct json_object *reply = json_object_new_object();
	pid_t pid = gate_pid(conf);
	char text[PATH_MAX + 160];
	int r;

	if (!directory[0])
		return error_set(err, -EINVAL,
				 "%s comes from [gate] certificate, not from the own CA: renew it where it comes from, "
				 "then send SIGHUP to hotdesk-gate",
				 path);
	r = become_owner(directory, err);
	if (r == 0)
		r = certificate_renew(directory, conf_string(conf, CONF_GATE_NAMES), err);
	if (r < 0)
		return r;
	if (pid > 0 && kill(pid, SIGHUP) == 0)
		snprintf(text, sizeof(text), "%s is new, and hotdesk-gate was told; the CA is as it was", path);
	else
		snprintf(
		    text, sizeof(text),
		    "%s is new; if hotdesk-gate runs, send it SIGHUP (`systemctl reload hotdesk-gate`); the CA is as "
		    "it was",
		    path);
	json_add_text(reply, "message", text);
	*ret = strdup(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_NOSLASHESCAPE));
	return *ret ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int write_new(const char *path, const char *pem, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0644);
	int r;

	if (fd < 0 && errno == EEXIST)
		return error_set(err, -EEXIST, "%s is there already: name another file, or add --force", path);
	r = fd < 0 ? -errno : fd_write_all(fd, pem, strlen(pem));
	if (fd >= 0 && r < 0)
		unlink(path);
	return r < 0 ? error_set_errno(err, r, "cannot write %s", path) : 0;
}

static int export_ca(const char *directory, struct json_object *arguments, struct error *err)
{
	const char *file = admin_string(arguments, "file");
	_cleanup_free_ char *pem = NULL;
	char path[PATH_MAX];
	int r;

	if (!directory[0])
		return error_set(err, -EINVAL,
				 "the certificate comes from [gate] certificate: viewers need the CA that signed it, "
				 "which hotdesk does not have");
	if (fs_path(path, sizeof(path), "%s/ca.pem", directory) < 0)
		return error_set(err, -ENAMETOOLONG, "state-dir of the configuration is too long");
	r = read_pem(path, true, &pem, err);
	if (r < 0)
		return r;
	if (!file)
		return fputs(pem, stdout) < 0 ? error_set(err, -EIO, "the CA could not be printed") : 0;
	if (!admin_given(arguments, "force"))
		return write_new(file, pem, err);
	r = fs_write_atomic(file, pem, strlen(pem), 0644);
	return r < 0 ? error_set_errno(err, r, "cannot write %s", file) : 0;
}

int cert_run(const struct conf *conf, const struct admin_command *command, struct json_object *arguments, char **ret,
	     struct error *err)
{
	char path[PATH_MAX], directory[PATH_MAX];

	if (cert_paths(conf, path, directory) < 0)
		return error_set(err, -ENAMETOOLONG, "the certificate's path in the configuration is too long");
	if (strcmp(command->verb, "show") == 0)
		return show(conf, path, directory, ret, err);
	if (strcmp(command->verb, "renew") == 0)
		return renew(conf, path, directory, ret, err);
	return export_ca(directory, arguments, err);
}
