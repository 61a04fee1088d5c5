// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* mutate.c - changing an input by whole records and fields */
#include "fuzz.h"

static uint64_t state;

static uint64_t next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 2685821657736338717ull;
}

static uint64_t below(uint64_t n)
{
	return n ? (next() >> 16) % n : 0;
}

static void random_record(struct fuzz_record *r)
{
	uint64_t x = next();

	r->kind = (uint8_t)x;
	/* As many operations as changes of the image. */
	r->a = (uint8_t)(below(3) ? below(12) : x >> 8);
	r->d = (uint8_t)(x >> 16);
	r->e = (uint8_t)(below(3) ? x >> 24 & 0x2f : x >> 24);
	r->b = (uint16_t)(below(2) ? below(32) : x >> 32);
	r->c = (uint16_t)(below(2) ? below(32) : x >> 48);
	r->v = below(2) ? below(64) : next();
}

static void change_field(struct fuzz_record *r)
{
	struct fuzz_record x;

	random_record(&x);
	switch (below(7)) {
	case 0:
		r->kind = x.kind;
		break;
	case 1:
		r->a = x.a;
		break;
	case 2:
		r->d = x.d;
		break;
	case 3:
		r->e = x.e;
		break;
	case 4:
		r->b = x.b;
		break;
	case 5:
		r->c = x.c;
		break;
	default:
		r->v = below(2) ? x.v : r->v ^ 1ull << below(64);
	}
}

static void change_header(struct fuzz_header *h)
{
	switch (below(5)) {
	case 0:
		h->base = (uint8_t)below(NR_BASES);
		break;
	case 1:
		h->mount ^= (uint8_t)(1u << below(8));
		break;
	case 2:
		h->keep = (uint8_t)(below(4) ? 0 : next());
		break;
	case 3:
		h->backing = (uint8_t)(below(2) ? 0 : below(4));
		break;
	default:
		h->fail_alloc = (uint8_t)(below(4) ? 0 : below(60));
	}
}

static void change_once(struct fuzz_input *in)
{
	size_t at = below(in->nr), n;
	struct fuzz_record r;

	switch (below(8)) {
	case 0:
		change_header(&in->head);
		return;
	case 1:	/* one less */
		if (in->nr) {
			memmove(&in->rec[at], &in->rec[at + 1], (in->nr - at - 1) * sizeof(r));
			in->nr--;
		}
		return;
	case 2:	/* change the order */
		n = below(in->nr);
		r = in->rec[at];
		in->rec[at] = in->rec[n];
		in->rec[n] = r;
		return;
	case 3:
	case 4:	/* one more, new or a copy */
		if (in->nr == MAX_RECORDS)
			return;
		if (in->nr && below(3) == 0)
			r = in->rec[below(in->nr)];
		else
			random_record(&r);
		memmove(&in->rec[at + 1], &in->rec[at], (in->nr - at) * sizeof(r));
		in->rec[at] = r;
		in->nr++;
		return;
	default:
		if (in->nr)
			change_field(&in->rec[at]);
	}
}

size_t mutate_input(uint8_t *data, size_t size, size_t max, uint64_t seed)
{
	struct fuzz_input in;
	uint64_t n;

	state = seed * 0x9e3779b97f4a7c15ull | 1;
	next();
	decode_input(data, size, &in);
	for (n = 1 + below(6); n; n--)
		change_once(&in);
	return encode_input(&in, data, max);
}
