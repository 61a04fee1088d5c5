// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* big.c - large blocks of memory, kept for the next who asks */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "big.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, size)	((void)(p), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(p, size)	((void)(p), (void)(size))
#define __lsan_register_root_region(p, size)	((void)(p), (void)(size))
#define __lsan_unregister_root_region(p, size)	((void)(p), (void)(size))
#endif

#define PAGE		4096u
#define SMALLEST	32768u	/* smaller ones are malloc's */
#define KEPT		32u
/* A block that was just freed is not the next one given away: who still uses it is seen. */
#define RESTS		2u

/* Blocks that nobody has, the one freed longest ago first. */
static struct {
	uint8_t *p;
	size_t room;
} kept[KEPT];
static unsigned int nr_kept;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static size_t room_of(size_t size)
{
	return (size + PAGE - 1) / PAGE * PAGE;
}

static uint8_t *take(unsigned int i)
{
	uint8_t *p = kept[i].p;

	nr_kept--;
	memmove(&kept[i], &kept[i + 1], (nr_kept - i) * sizeof(kept[0]));
	return p;
}

static uint8_t *take_kept(size_t room)
{
	unsigned int i, first = KEPT, same = 0;
	uint8_t *p = NULL;

	pthread_mutex_lock(&mutex);
	for (i = nr_kept; i--;)
		if (kept[i].room == room) {
			first = i;
			same++;
		}
	if (same > RESTS)
		p = take(first);
	pthread_mutex_unlock(&mutex);
	return p;
}

/* A page before it and one behind belong to nobody. */
static uint8_t *map_new(size_t room)
{
	uint8_t *p = mmap(NULL, room + 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	__lsan_register_root_region(p + PAGE, room);
	ASAN_POISON_MEMORY_REGION(p, room + 2 * PAGE);
	return p + PAGE;
}

static void unmap(uint8_t *p, size_t room)
{
	__lsan_unregister_root_region(p, room);
	ASAN_UNPOISON_MEMORY_REGION(p - PAGE, room + 2 * PAGE);
	munmap(p - PAGE, room + 2 * PAGE);
}

static void *get(size_t size, int zero)
{
	size_t room = room_of(size);
	uint8_t *p = take_kept(room);
	int new = !p;

	if (new)
		p = map_new(room);
	if (!p)
		return NULL;
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	if (zero && !new)
		memset(p, 0, size);
	return p;
}

void *big_zalloc(size_t size)
{
	return size < SMALLEST ? calloc(1, size) : get(size, 1);
}

void *big_alloc(size_t size)
{
	return size < SMALLEST ? malloc(size) : get(size, 0);
}

void big_free(void *p, size_t size)
{
	size_t room = room_of(size), old_room = 0;
	uint8_t *old = NULL;

	if (size < SMALLEST || !p) {
		free(p);
		return;
	}
	/* What comes from malloc never begins a page. */
	if ((uintptr_t)p % PAGE)
		abort();
	ASAN_POISON_MEMORY_REGION(p, room);
	pthread_mutex_lock(&mutex);
	if (nr_kept == KEPT) {
		old_room = kept[0].room;
		old = take(0);
	}
	kept[nr_kept].p = p;
	kept[nr_kept++].room = room;
	pthread_mutex_unlock(&mutex);
	if (old)
		unmap(old, old_room);
}
