// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* format.c - printf for programs without a libc */
#include "internal.h"

struct out {
	char *buf;
	size_t size, len;
};

struct spec {
	unsigned int width;
	bool zero;
	unsigned int longs;		/* l, ll, z */
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t len)
{
	size_t pad = s->width > len ? s->width - len : 0;

	while (pad--)
		put(o, s->zero ? '0' : ' ');
	while (len--)
		put(o, *text++);
}

static void put_number(struct out *o, struct spec *s, uint64_t v, unsigned int base,
		       bool negative)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (negative && s->zero && s->width) {
		put(o, '-');
		s->width--;
	} else if (negative) {
		digits[--at] = '-';
	}
	put_padded(o, s, digits + at, sizeof(digits) - at);
}

static const char *parse(const char *f, struct spec *s)
{
	memset(s, 0, sizeof(*s));
	s->zero = *f == '0';
	for (; *f >= '0' && *f <= '9'; f++)
		s->width = s->width * 10 + (unsigned int)(*f - '0');
	for (; *f == 'l' || *f == 'z'; f++)
		s->longs++;
	return f;
}

size_t vmemos_vformat(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buf, size, 0 };
	struct spec s;
	const char *text;
	int64_t i;
	char c;

	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		fmt = parse(fmt + 1, &s);
		switch (*fmt) {
		case 's':
			text = va_arg(ap, const char *);
			text = text ? text : "(null)";
			put_padded(&o, &s, text, strlen(text));
			break;
		case 'c':
			c = (char)va_arg(ap, int);
			put_padded(&o, &s, &c, 1);
			break;
		case 'd':
		case 'i':
			i = s.longs ? va_arg(ap, long) : va_arg(ap, int);
			put_number(&o, &s, i < 0 ? 0 - (uint64_t)i : (uint64_t)i, 10, i < 0);
			break;
		case 'u':
		case 'x':
			put_number(&o, &s, s.longs ? va_arg(ap, unsigned long) :
				   va_arg(ap, unsigned int), *fmt == 'x' ? 16 : 10, false);
			break;
		case 'p':
			put_number(&o, &s, (uintptr_t)va_arg(ap, void *), 16, false);
			break;
		case 0:
			fmt--;
			break;
		default:
			put(&o, *fmt);
		}
	}
	if (size)
		buf[o.len < size ? o.len : size - 1] = 0;
	return o.len;
}

size_t vmemos_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = vmemos_vformat(buf, size, fmt, ap);
	va_end(ap);
	return len;
}

void vmemos_printf(struct vmemos_platform *p, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = vmemos_vformat(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (p->console)
		p->console(p, line, len < sizeof(line) ? len : sizeof(line) - 1);
}
