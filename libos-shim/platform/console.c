// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * console.c - COM1, polled, and the end of the machine
 */
#include "platform.h"

#define COM1		0x3f8
#define LINE_STATUS	(COM1 + 5)
#define LSR_DATA	0x01
#define LSR_EMPTY	0x20
#define DEBUG_EXIT	0xf4

static bool have_uart;

/* Without the FIFOs: enabling them would lose what has come in already. */
void console_init(void)
{
	outb(COM1 + 1, 0);		/* no interrupts */
	outb(COM1 + 3, 0x80);		/* divisor latch: 115200 */
	outb(COM1 + 0, 1);
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 0x03);		/* 8N1 */
	outb(COM1 + 4, 0x03);
	have_uart = inb(LINE_STATUS) != 0xff;
}

static void put(char c)
{
	if (!have_uart)
		return;
	do
		exits.console++;
	while (!(inb(LINE_STATUS) & LSR_EMPTY));
	exits.console++;
	outb(COM1, (uint8_t)c);
}

void console_write(struct vmemos_platform *p, const char *text, size_t len)
{
	(void)p;
	while (len--)
		put(*text++);
}

int console_read(void)
{
	exits.console++;
	return have_uart && (inb(LINE_STATUS) & LSR_DATA) ? inb(COM1) : -1;
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
