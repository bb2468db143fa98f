/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * org.hotdesk.Viewer1: the broker's conversation with one hotdesk-display (one viewer connection), on a listening
 * socket the broker made (argument --control-fd), object /org/hotdesk/Viewer1. The newest connection is the broker's.
 *
 * - Hello(u version) -> (u version): answered once libvncserver has the client; then the gate says SecurityResult OK
 * - SetSource(h socket): an org.qemu.Display1 peer (Screen1.AddDisplay's other end); replaces the old one
 * - ClearSource(): back to the drawn picture
 * - SetStatus(s title, s detail, i percent, b failed): the drawn picture; percent -1: no bar; failed: detail is the
 *   reason
 * - Close(s title, s detail, u linger_ms): draws it, then ends the connection
 * - Status() -> (b source, u width, u height)
 * - SetSound(b allowed, h socket): whether the viewer may hear its desktop; not until it is called. socket: an O_PATH
 * fd of the socket that the desktop's sound daemon listens on, or will; with another fd of the same one what runs goes
 * on
 * - signal SourceLost(): the source's connection ended
 * - signal Wanted(u width, u height): the size the viewer asked for while there is no source
 * - signal Sound(b wanted): the viewer listens, and may, or no longer; also after each SetSound while it does
 *
 * The picture is drawn only if no source came within 150 ms of ClientInit. At the end of the viewer's stream the
 * program exits 0.
 *
 * Arguments: --stream-fd N --control-fd N --name DESKTOP_NAME --keyboard XKB (e.g. "de" or "de(nodeadkeys)")
 * --size WxH --max WxH --title TEXT --detail TEXT (the first status) --clipboard-max BYTES (of a text; default 8 MiB)
 */
#ifndef VIEWER_API_H
#define VIEWER_API_H

#define VIEWER_API_VERSION 2
#define VIEWER_API_PATH "/org/hotdesk/Viewer1"
#define VIEWER_API_INTERFACE "org.hotdesk.Viewer1"

#endif
