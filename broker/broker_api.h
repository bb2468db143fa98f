/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * org.hotdesk.Broker1, the admin socket RUNTIME_DIR/broker/admin.sock, object /org/hotdesk/Broker1. Peers: root and the
 * broker's own uid.
 *
 *   Hello(u version) -> (u version)
 *   Call(s command, s arguments, ah fds) -> (s json, ah files)
 *   signal Progress(s command, u percent, s text)      to the caller while a Call runs
 *
 * command is like "pool create", arguments a JSON object as broker/admin_table.h says. "message" in a reply is what was
 * done; files: one to read, of commands that print one; errors carry the person's text.
 */
#ifndef BROKER_API_H
#define BROKER_API_H

#define BROKER_API_VERSION 2
#define BROKER_API_PATH "/org/hotdesk/Broker1"
#define BROKER_API_INTERFACE "org.hotdesk.Broker1"

#endif
