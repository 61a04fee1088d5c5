// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * console.c - COM1, polled, and the end of the machine
 */
#include "platform.h"

#define COM1		0x3f8
#define LINE_STATUS	(COM1 + 5)
#define LSR_DATA	0x01
#define LSR_EMPTY	0x20
#define FIFO_SIZE	16
#define DEBUG_EXIT	0xf4

struct exits exits;
static bool have_uart;

void console_init(void)
{
	outb(COM1 + 1, 0);		/* no interrupts */
	outb(COM1 + 3, 0x80);		/* divisor latch: 115200 */
	outb(COM1 + 0, 1);
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 0x03);		/* 8N1 */
	outb(COM1 + 2, 0x07);		/* FIFO on, cleared */
	outb(COM1 + 4, 0x03);
	have_uart = inb(LINE_STATUS) != 0xff;
}

static void put(char c)
{
	static unsigned int room;

	if (!have_uart)
		return;
	while (room == 0) {
		exits.console++;
		if (inb(LINE_STATUS) & LSR_EMPTY)
			room = FIFO_SIZE;
	}
	room--;
	exits.console++;
	outb(COM1, (uint8_t)c);
}

void console_write(const char *text, size_t len)
{
	while (len--)
		put(*text++);
}

int console_read(void)
{
	exits.console++;
	return have_uart && (inb(LINE_STATUS) & LSR_DATA) ? inb(COM1) : -1;
}

void say(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = vmemos_vformat(line, sizeof(line), fmt, ap);
	va_end(ap);
	console_write(line, len < sizeof(line) ? len : sizeof(line) - 1);
}

void fatal(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vmemos_vformat(line, sizeof(line), fmt, ap);
	va_end(ap);
	say("vmemos: %s\n", line);
	platform_exit(125);
}

void platform_exit(int status)
{
	static const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) no_idt;

	if (status > 126)
		say("vmemos: exit status %d\n", status);
	outl(DEBUG_EXIT, (uint32_t)status + 1);
	/* No such device.  A triple fault resets every machine. */
	say("vmemos: exit status %d (no isa-debug-exit device: resetting)\n", status);
	__asm__ volatile("lidt %0; int3" : : "m"(no_idt));
	__builtin_unreachable();
}
