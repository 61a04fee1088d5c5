// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * kv.c - a key-value store whose pointers live in the store
 *
 *	kv set KEY VALUE	kv get KEY	kv list
 *	kv fill FROM		set keys FROM, FROM+1, ... and say so, until killed
 *	kv check LAST		are the keys 1 to LAST there?
 *
 * The file "kv" is one run of the store, always mapped at the same addresses:
 * its hash table and its nodes are ordinary C structs with ordinary pointers,
 * and nothing is read, written, parsed or copied.  A node is made durable
 * first, then one 8-byte store publishes it; so a crash at any moment leaves
 * the old state or the new one.
 */
#include <errno.h>
#include <string.h>

#include "vmemos.h"

#define MAGIC	0x31766b736f6d6576ull	/* "vemoskv1" */
#define SIZE	((uint64_t)16 << 20)
#define BUCKETS	4096u

struct node {
	struct node *next;		/* older ones of the bucket */
	uint32_t key_len, value_len;
	char bytes[];			/* key, NUL, value, NUL */
};

struct table {
	uint64_t magic;
	struct table *self;		/* the addresses that the pointers are for */
	char *free, *end;		/* from here on nothing is used */
	struct node *bucket[BUCKETS];
};

struct kv {
	struct vmemos *fs;
	struct vmemos_area area;
	struct table *table;
};

static unsigned int bucket_of(const char *key)
{
	uint64_t h = 14695981039346656037ull;

	for (; *key; key++)
		h = (h ^ (uint8_t)*key) * 1099511628211ull;
	return (unsigned int)(h >> 32) % BUCKETS;
}

/* Make the table, or find it as the last boot left it. */
static int kv_open(struct vmemos_platform *p, struct kv *kv)
{
	struct vmemos_file *f;
	struct table *t;
	int err = vmemos_mount(p, NULL, &kv->fs);

	if (err)
		return err;
	err = vmemos_open(vmemos_root(kv->fs), "kv", VMEMOS_O_RDWR | VMEMOS_O_CREAT, 0644, &f);
	if (err)
		return err;
	err = vmemos_layout(f, 0, SIZE);
	if (!err)
		err = vmemos_acquire(f, 0, SIZE, VMEMOS_WHOLE, &kv->area);
	vmemos_close(f);
	if (err)
		return err;
	t = kv->area.addr;
	kv->table = t;
	if (t->magic == MAGIC)
		return t->self == t ? 0 : -EXDEV;
	t->self = t;
	t->free = (char *)(t + 1);
	t->end = (char *)t + SIZE;
	err = vmemos_persist(&kv->area, t, sizeof(*t));
	t->magic = MAGIC;
	return err ? err : vmemos_persist(&kv->area, &t->magic, sizeof(t->magic));
}

static int kv_close(struct kv *kv)
{
	vmemos_release(&kv->area);
	return vmemos_umount(kv->fs);
}

/* The value, as it lies in the store; NULL. */
static const char *kv_get(const struct kv *kv, const char *key)
{
	size_t len = strlen(key);
	const struct node *n;

	for (n = kv->table->bucket[bucket_of(key)]; n; n = n->next)
		if (n->key_len == len && !memcmp(n->bytes, key, len))
			return n->bytes + len + 1;
	return NULL;
}

static int kv_set(struct kv *kv, const char *key, const char *value)
{
	size_t key_len = strlen(key), value_len = strlen(value);
	size_t size = (sizeof(struct node) + key_len + value_len + 2 + 15) & ~(size_t)15;
	struct table *t = kv->table;
	struct node **head = &t->bucket[bucket_of(key)], *n = (struct node *)(void *)t->free;
	int err;

	if ((size_t)(t->end - t->free) < size)
		return -ENOSPC;
	t->free += size;
	n->next = *head;
	n->key_len = (uint32_t)key_len;
	n->value_len = (uint32_t)value_len;
	memcpy(n->bytes, key, key_len + 1);
	memcpy(n->bytes + key_len + 1, value, value_len + 1);
	/* The node, and that its bytes are taken, before what leads to it. */
	err = vmemos_persist(&kv->area, n, size);
	if (!err)
		err = vmemos_persist(&kv->area, &t->free, sizeof(t->free));
	if (err)
		return err;
	*(struct node *volatile *)head = n;
	return vmemos_persist(&kv->area, head, sizeof(*head));
}

static unsigned int number(const char *s)
{
	unsigned int n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (unsigned int)(*s++ - '0');
	return n;
}

static int fill(struct vmemos_platform *p, struct kv *kv, unsigned int from)
{
	char key[32], value[64];
	int err = 0;

	for (; !err; from++) {
		vmemos_format(key, sizeof(key), "%u", from);
		vmemos_format(value, sizeof(value), "value of %u", from);
		err = kv_set(kv, key, value);
		if (!err)
			vmemos_printf(p, "ack %u\n", from);
	}
	return err == -ENOSPC ? 0 : err;
}

static int check(struct vmemos_platform *p, struct kv *kv, unsigned int last)
{
	char key[32], want[64];
	unsigned int i, lost = 0;

	for (i = 1; i <= last; i++) {
		const char *value;

		vmemos_format(key, sizeof(key), "%u", i);
		vmemos_format(want, sizeof(want), "value of %u", i);
		value = kv_get(kv, key);
		if (!value || strcmp(value, want))
			lost++;
	}
	vmemos_printf(p, "%u of %u lost\n", lost, last);
	return lost ? -ENOENT : 0;
}

static int list(struct vmemos_platform *p, struct kv *kv)
{
	const struct node *n;
	unsigned int i;

	for (i = 0; i < BUCKETS; i++)
		for (n = kv->table->bucket[i]; n; n = n->next)
			/* The newest of a key comes first. */
			if (kv_get(kv, n->bytes) == n->bytes + n->key_len + 1)
				vmemos_printf(p, "%s=%s\n", n->bytes, n->bytes + n->key_len + 1);
	return 0;
}

static int run(struct vmemos_platform *p, struct kv *kv, int argc, char **argv)
{
	const char *value;

	if (argc == 3 && !strcmp(argv[0], "set"))
		return kv_set(kv, argv[1], argv[2]);
	if (argc == 2 && !strcmp(argv[0], "get")) {
		value = kv_get(kv, argv[1]);
		vmemos_printf(p, "%s\n", value ? value : "(none)");
		return value ? 0 : -ENOENT;
	}
	if (argc == 1 && !strcmp(argv[0], "list"))
		return list(p, kv);
	if (argc == 2 && !strcmp(argv[0], "fill"))
		return fill(p, kv, number(argv[1]));
	if (argc == 2 && !strcmp(argv[0], "check"))
		return check(p, kv, number(argv[1]));
	vmemos_printf(p, "usage: set KEY VALUE | get KEY | list | fill FROM | check LAST\n");
	return -EINVAL;
}

int vmemos_main(struct vmemos_platform *p, int argc, char **argv)
{
	struct kv kv;
	int err = kv_open(p, &kv), end;

	if (err) {
		vmemos_printf(p, "kv: cannot open: error %d\n", -err);
		return 1;
	}
	err = run(p, &kv, argc, argv);
	if (err && err != -ENOENT)
		vmemos_printf(p, "kv: error %d\n", -err);
	end = kv_close(&kv);
	return err || end ? 1 : 0;
}
