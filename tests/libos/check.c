// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* check.c - the harness of programs that run in a process and as a unikernel */
#include "check.h"

struct vmemos_platform *platform;
struct vmemos *fs;
struct vmemos_file *root;

static bool failed;

bool check_failed(const char *file, int line, const char *what, long long got, long long want)
{
	vmemos_printf(platform, "# %s:%d: %s is %lld, not %lld\n", file, line, what, got, want);
	failed = true;
	return false;
}

static bool mount(void)
{
	int err = vmemos_mount(platform, NULL, &fs);

	if (err)
		return check_failed(__FILE__, __LINE__, "mount", err, 0);
	root = vmemos_root(fs);
	return true;
}

static void unmount(void)
{
	int err = vmemos_umount(fs);

	if (err)
		check_failed(__FILE__, __LINE__, "umount", err, 0);
}

static void run(const struct property *p)
{
	failed = false;
	if (p->unmounted) {
		p->test();
	} else if (mount()) {
		p->test();
		if (!failed)
			unmount();
	}
	vmemos_printf(platform, "%s - %s\n", failed ? "not ok" : "ok", p->name);
}

int check_all(struct vmemos_platform *p, int argc, char **argv,
	      const struct property *list, unsigned int nr)
{
	unsigned int i;
	int status = 0;

	platform = p;
	for (i = 0; i < nr; i++) {
		if (argc > 0 && strcmp(argv[0], list[i].name))
			continue;
		run(&list[i]);
		status |= failed;
		/* What a failed test left mounted is nothing to go on with. */
		if (failed)
			break;
	}
	return status;
}

struct vmemos_file *make_file(const char *path)
{
	struct vmemos_file *f = NULL;
	int err = vmemos_open(root, path, VMEMOS_O_RDWR | VMEMOS_O_CREAT, 0644, &f);

	if (err)
		check_failed(__FILE__, __LINE__, path, err, 0);
	return f;
}

static uint8_t byte_at(size_t i, unsigned int seed)
{
	return (uint8_t)((i * 2654435761u + seed * 40503u) >> 11);
}

void pattern(void *buf, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		((uint8_t *)buf)[i] = byte_at(i, seed);
}

bool is_pattern(const void *buf, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (((const uint8_t *)buf)[i] != byte_at(i, seed))
			return false;
	return true;
}

bool is_zeros(const void *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (((const uint8_t *)buf)[i])
			return false;
	return true;
}

bool exists(const char *path)
{
	struct vmemos_stat st;

	return vmemos_stat(root, path, VMEMOS_NOFOLLOW, &st) == 0;
}

uint64_t free_blocks(void)
{
	struct vmemos_statfs st;

	vmemos_statfs(fs, &st);
	return st.free_blocks;
}

bool in_store(const void *addr, size_t len)
{
	uintptr_t a = (uintptr_t)addr, base = (uintptr_t)platform->base;

	return a >= base && a - base <= platform->size && len <= platform->size - (a - base);
}

bool again(void)
{
	int err = vmemos_umount(fs);

	return err ? check_failed(__FILE__, __LINE__, "umount", err, 0) : mount();
}
