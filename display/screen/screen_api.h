/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * org.hotdesk.Screen1: the broker's conversation with one hotdesk-screen (one watched desktop), on a listening socket
 * the broker made (argument --control-fd), object /org/hotdesk/Screen1. A restarted broker connects again.
 * - Hello(u version) -> (u version)
 * - SetSource(h socket): QEMU's D-Bus display main connection (Host1.OpenDisplay); may come again at any time, the
 *   displays stay
 * - AddDisplay(h socket): screen serves QEMU's own org.qemu.Display1 (Console_0, Keyboard, Mouse) on it, for one
 *   hotdesk-display
 * - Status() -> (b source, u width, u height, u displays); size 0x0 when there is no picture
 * - signal SourceLost(): QEMU's connection ended or was given up: the broker asks the host for a new one
 * - signal Picture(u width, u height): the first pixels after a SetSource are in the shared framebuffer
 *
 * Without displays for --linger seconds (default 10) screen exits 0.
 */
#ifndef SCREEN_API_H
#define SCREEN_API_H

#define SCREEN_API_VERSION 1
#define SCREEN_API_PATH "/org/hotdesk/Screen1"
#define SCREEN_API_INTERFACE "org.hotdesk.Screen1"
#define SCREEN_WIDTH_MAX 8192 /* of a guest's surface; larger ones are refused, not scaled */
#define SCREEN_HEIGHT_MAX 8192

#endif
