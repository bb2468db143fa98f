/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names of QEMU's D-Bus display (QEMU, ui/dbus-display1.xml), which hotdesk-screen speaks as a client with QEMU and as
 * a server with hotdesk-display.
 */
#ifndef DISPLAY1_H
#define DISPLAY1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISPLAY1_CONSOLE_PATH "/org/qemu/Display1/Console_0"
#define DISPLAY1_LISTENER_PATH "/org/qemu/Display1/Listener"
#define DISPLAY1_CLIPBOARD_PATH "/org/qemu/Display1/Clipboard"
#define DISPLAY1_CONSOLE "org.qemu.Display1.Console"
#define DISPLAY1_KEYBOARD "org.qemu.Display1.Keyboard"
#define DISPLAY1_MOUSE "org.qemu.Display1.Mouse"
#define DISPLAY1_CLIPBOARD "org.qemu.Display1.Clipboard"
#define DISPLAY1_LISTENER "org.qemu.Display1.Listener"
#define DISPLAY1_AUDIO_PATH "/org/qemu/Display1/Audio"
#define DISPLAY1_AUDIO "org.qemu.Display1.Audio"
#define DISPLAY1_AUDIO_OUT_PATH "/org/qemu/Display1/AudioOutListener"
#define DISPLAY1_AUDIO_OUT "org.qemu.Display1.AudioOutListener"
#define DISPLAY1_LISTENER_MAP "org.qemu.Display1.Listener.Unix.Map"
#define DISPLAY1_IS_ABSOLUTE "IsAbsolute" /* of the mouse */

/* Our own addition, which a display serves at the clipboard's path: Notice(s sentence) is for the person. */
#define CLIPBOARD1 "org.hotdesk.Clipboard1"

#define DISPLAY1_MIME_TEXT "text/plain;charset=utf-8"
#define DISPLAY1_SELECTION_CLIPBOARD 0
#define DISPLAY1_CURSOR_EDGE_MAX 512
#define DISPLAY1_QNUM_MAX 256
#define DISPLAY1_BUTTONS_MAX 8

/* Whether size bytes are an ARGB cursor of this geometry. */
static inline bool display1_cursor_valid(int32_t width, int32_t height, int32_t hot_x, int32_t hot_y, size_t size)
{
	return width > 0 && height > 0 && width <= DISPLAY1_CURSOR_EDGE_MAX && height <= DISPLAY1_CURSOR_EDGE_MAX &&
	       hot_x >= 0 && hot_y >= 0 && hot_x < width && hot_y < height &&
	       size == (size_t)width * (size_t)height * 4;
}

#endif
