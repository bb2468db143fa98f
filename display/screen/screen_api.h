/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * org.hotdesk.Screen1: the broker's conversation with one hotdesk-screen (one watched desktop), on a listening socket
 * the broker made (argument --control-fd), object /org/hotdesk/Screen1. A restarted broker connects again.
 * - Hello(u version) -> (u version)
 * - SetSource(h socket): QEMU's D-Bus display main connection (Host1.OpenDisplay); may come again at any time, the
 *   displays stay
 * - AddDisplay(h socket): screen serves QEMU's own org.qemu.Display1 (Console_0, Keyboard, Mouse, Clipboard) on it, for
 *   one hotdesk-display
 * - Status() -> (b source, u width, u height, u displays); size 0x0 when there is no picture
 * - SetVdagent(h socket): the desktop's com.redhat.spice.0 port (Host1.OpenVdagent); may come again at any time
 * - SetClipboard(u allowed, u max_bytes): which texts may be copied (SCREEN_CLIPBOARD_*), up to which size; none until
 *   it is called. What is held and now forbidden is released on both sides
 * - SetSound(h socket): from now on what the desktop plays goes to the PulseAudio that listens on this socket (an
 * O_PATH fd), or will; into its sink "vm". May come again at any time: the same socket changes nothing
 * - ClearSound(): to none
 * - signal SourceLost(): QEMU's connection ended or was given up: the broker asks the host for a new one
 * - signal VdagentLost(): the port's connection ended or was given up: the broker asks the host for a new one
 * - signal Clipboard(u direction, u bytes): a text was copied, for the audit: SCREEN_CLIPBOARD_IN or _OUT
 * - signal Picture(u width, u height): the first pixels after a SetSource are in the shared framebuffer
 *
 * Without displays for --linger seconds (default 10) screen exits 0.
 */
#ifndef SCREEN_API_H
#define SCREEN_API_H

#define SCREEN_API_VERSION 3
#define SCREEN_API_PATH "/org/hotdesk/Screen1"
#define SCREEN_API_INTERFACE "org.hotdesk.Screen1"
#define SCREEN_WIDTH_MAX 8192 /* of a guest's surface; larger ones are refused, not scaled */
#define SCREEN_HEIGHT_MAX 8192

/* Bits of SetClipboard's `allowed`. */
#define SCREEN_CLIPBOARD_IN 1u      /* from viewers into the guest */
#define SCREEN_CLIPBOARD_OUT 2u     /* from the guest to viewers */
#define SCREEN_CLIPBOARD_PRIMARY 4u /* what is selected by mouse (PRIMARY) too */
#define SCREEN_CLIPBOARD_BYTES_MAX (64u << 20)

#endif
