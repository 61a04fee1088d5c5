// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tbcount.c - TCG plugin: how often each translation block ran
 *
 *   -plugin tbcount.so,table=PATH
 *
 * PATH becomes a table that QEMU writes by plain stores while the guest runs,
 * so that the host can take two snapshots at any moment and subtract them:
 *
 *   u64 used      number of entries in use
 *   u64 lost      translations that found the table full
 *   then per entry: u64 guest address, u64 instructions, u64 executions
 *
 * The counters are not atomic: exact with one virtual CPU only.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <qemu-plugin.h>

#define TABLE_ENTRIES (1u << 20)
#define HASH_SLOTS (TABLE_ENTRIES * 2)

struct entry {
	uint64_t address;
	uint64_t instructions;
	uint64_t executions;
};

struct table {
	uint64_t used;
	uint64_t lost;
	struct entry entries[TABLE_ENTRIES];
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static struct table *table;
/* Index of an entry plus 1; 0 is free.  Open addressing. */
static uint32_t hash_slots[HASH_SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A block that is translated again goes on counting in its old entry. */
static struct entry *find_entry(uint64_t address, uint64_t instructions)
{
	uint64_t mixed = (address ^ instructions << 48) * 0x9e3779b97f4a7c15u;
	uint32_t slot = (uint32_t)(mixed >> 32) % HASH_SLOTS;
	struct entry *entry;

	while (hash_slots[slot]) {
		entry = &table->entries[hash_slots[slot] - 1];
		if (entry->address == address && entry->instructions == instructions)
			return entry;
		slot = (slot + 1) % HASH_SLOTS;
	}
	if (table->used == TABLE_ENTRIES) {
		table->lost++;
		return NULL;
	}
	entry = &table->entries[table->used++];
	entry->address = address;
	entry->instructions = instructions;
	hash_slots[slot] = (uint32_t)table->used;
	return entry;
}

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct entry *entry;

	(void)id;
	pthread_mutex_lock(&lock);
	entry = find_entry(qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb));
	pthread_mutex_unlock(&lock);
	if (entry)
		qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64,
							 &entry->executions, 1);
}

static int map_table(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	void *map;

	if (fd < 0 || ftruncate(fd, sizeof(*table)) < 0) {
		perror(path);
		return -1;
	}
	map = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED) {
		perror(path);
		return -1;
	}
	table = map;
	return 0;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info,
					   int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "table=", 6) != 0) {
		fprintf(stderr, "tbcount: the one argument is table=PATH\n");
		return -1;
	}
	if (map_table(argv[0] + 6) < 0)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	return 0;
}
