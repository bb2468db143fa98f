/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Messages of the programs (libraries return errors instead). Written to stderr as "program[pid]: text"; where stderr
 * is the journal (JOURNAL_STREAM names its device and inode, sd-daemon(3)) each line gets its "<priority>" prefix
 * instead.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <syslog.h>

/* Call once in main. `program` is kept, not copied. HOTDESK_DEBUG=1 in the environment turns LOG_DEBUG on. */
void log_open(const char *program);

/* One line; control characters of the text are replaced by '?', so that foreign bytes cannot forge lines. */
void log_write(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

#endif
