// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_log.c - every field of the log's records, damaged in turn
 *
 * An image with a log that was not replayed.  A record that is damaged ends
 * it: what the records before it say is there after a repair, and nothing
 * that is behind it.  When the checksums are made right again the log may say
 * anything: the repair replays it or gives it up, and the result is sound.
 */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fields.h"
#include "medium/hash.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define NR_LATE		6u
#define MAX_RECORDS	40u

static uint8_t *unclean;		/* the image with its log */
static struct vmem_rec *record[MAX_RECORDS];
static unsigned int nr_records;
static unsigned int late_before[MAX_RECORDS];	/* files that the records before it make */

static int no_flush(struct vmem_store *s, const struct vmem_range *r, unsigned int nr)
{
	(void)s;
	(void)r;
	(void)nr;
	return 0;
}

static size_t fill(void *ctx, void *addr, size_t len)
{
	(void)ctx;
	memset(addr, 'l', len);
	return len;
}

static void make_late(struct vmem_inode *root, unsigned int i)
{
	struct vmem_attr attr = { .mode = 0100644 };
	struct vmem_inode vi;
	char name[16];

	snprintf(name, sizeof(name), "late-%u", i);
	assert_int_equal(vmem_create(root, name_of(name), &attr, &vi), 0);
	assert_int_equal(vmem_write(&vi, 0, 9000, fill, NULL), 9000);
	if (i == NR_LATE / 2)
		assert_int_equal(vmem_fsync(&vi, false), 0);
	assert_int_equal(vmem_iput(&vi), 0);
}

static void find_records(void)
{
	const struct vmem_root *root = root_slot(true);
	uint64_t size = vmem_get64(superblock()->log_blocks) * VMEM_BLOCK_SIZE, lsn = vmem_get64(root->tail);

	for (nr_records = 0; nr_records < MAX_RECORDS; nr_records++) {
		struct vmem_rec *rec = (struct vmem_rec *)(block(vmem_get64(superblock()->log_start)) + lsn % size);

		if (vmem_get64(rec->lsn) != lsn || !vmem_get32(rec->len))
			break;
		record[nr_records] = rec;
		lsn += vmem_get32(rec->len);
	}
}

static unsigned int count_late(void)
{
	struct vmem_mount_opts opts = { .no_recovery = true };
	struct vmem_inode root;
	struct vmem_fs *fs;
	unsigned int i, nr = 0;
	char name[16];
	uint64_t ino;

	assert_int_equal(vmem_mount(&the_store, env, &opts, &fs, NULL), 0);
	assert_int_equal(vmem_iget(fs, VMEM_ROOT_INO, &root), 0);
	for (i = 0; i < NR_LATE; i++) {
		snprintf(name, sizeof(name), "late-%u", i);
		nr += vmem_lookup(&root, name_of(name), &ino, NULL) == 0;
	}
	vmem_umount(fs);
	return nr;
}

/* The image may say anything now; nothing but a repair helps. */
static void expect_sound_log(const char *what, unsigned int nr, unsigned int pattern)
{
	struct vmem_repair_result r;

	if (check_image() == 0)
		fail_msg("%s of record %u, pattern %u: not found", what, nr, pattern);
	if (repair_image(&r))
		fail_msg("%s of record %u, pattern %u: refused:\n%s", what, nr, pattern, all_reports);
	if (check_image() || result.needs_check)
		fail_msg("%s of record %u, pattern %u: after the repair: %s", what, nr, pattern, first_problem);
	if (repair_image(&r) || stores)
		fail_msg("%s of record %u, pattern %u: a second repair changes something", what, nr, pattern);
}

static void back_to_unclean(void)
{
	memcpy(the_store.base, unclean, STORE_SIZE);
}

static int make_unclean(void **state)
{
	struct vmem_mount_opts opts = { .domain = VMEM_DOMAIN_HOST };
	struct vmem_inode root;
	struct vmem_fs *fs;
	unsigned int i;

	if (make_image(state))
		return -1;
	the_store.backing = VMEM_BACKING_PAGE_CACHE;
	the_store.flush = no_flush;
	memset(the_store.generation, 7, sizeof(the_store.generation));
	assert_null(lost_thing());
	assert_int_equal(vmem_mount(&the_store, env, &opts, &fs, NULL), 0);
	assert_int_equal(vmem_iget(fs, VMEM_ROOT_INO, &root), 0);
	for (i = 0; i < NR_LATE; i++)
		make_late(&root, i);
	unclean = malloc(STORE_SIZE);
	assert_non_null(unclean);
	memcpy(unclean, the_store.base, STORE_SIZE);
	assert_int_equal(vmem_iput(&root), 0);
	assert_int_equal(vmem_umount(fs), 0);
	back_to_unclean();
	find_records();
	assert_in_range(nr_records, NR_LATE + 1, MAX_RECORDS - 1);
	for (i = 0; i < nr_records; i++) {
		back_to_unclean();
		memset(record[i], 0, sizeof(*record[i]));
		expect_sound_log("nothing", i, 0);
		late_before[i] = count_late();
	}
	assert_int_equal(late_before[0], 0);
	assert_true(late_before[nr_records - 1] >= NR_LATE - 1);
	return 0;
}

static int free_unclean(void **state)
{
	free(unclean);
	return free_image(state);
}

/* As in test_checker.c: each changes the field. */
static void damage(uint8_t *p, size_t size, unsigned int pattern)
{
	size_t i;

	if (pattern < 3)
		p[pattern == 0 ? 0 : pattern == 1 ? size - 1 : size / 2] ^= (uint8_t)(pattern == 0 ? 1 : pattern == 1 ? 0x80 : 0x10);
	for (i = 0; pattern == 3 && i < size; i++)
		p[i] = (uint8_t)~p[i];
}

/* All checksums of records, and those in commit records. */
static void fix_log(void)
{
	uint32_t seed_of_log = vmem_get32(root_slot(true)->log_seed), chain = seed_of_log;
	unsigned int i;

	for (i = 0; i < nr_records; i++) {
		struct vmem_rec *rec = record[i];
		struct vmem_rec_commit *c = (struct vmem_rec_commit *)(rec + 1);
		const struct vmem_rec *sound = (const struct vmem_rec *)(const void *)
			(unclean + ((uint8_t *)rec - the_store.base));
		uint32_t len = vmem_get32(rec->len);

		if (len < sizeof(*rec) || len > VMEM_REC_MAX || len % VMEM_REC_ALIGN)
			len = vmem_get32(sound->len);
		if (vmem_get16(rec->type) == VMEM_REC_COMMIT)
			c->chain = vmem_le32_of(chain);
		rec->csum = vmem_le32_of(vmem_rec_csum(env->crc32c, seed_of_log, rec, len));
		chain = vmem_get16(rec->type) == VMEM_REC_COMMIT ? seed_of_log :
			env->crc32c(chain, &rec->csum, sizeof(rec->csum));
	}
}

static void damage_record(unsigned int nr, size_t at, const struct field *f, size_t nr_fields)
{
	unsigned int pattern;
	size_t i;

	for (i = 0; i < nr_fields; i++)
		for (pattern = 0; pattern < 4; pattern++) {
			const char *lost;

			back_to_unclean();
			damage((uint8_t *)record[nr] + at + f[i].off, f[i].size, pattern);
			expect_sound_log(f[i].name, nr, pattern);
			if (count_late() != late_before[nr])
				fail_msg("%s of record %u, pattern %u: %u files instead of %u", f[i].name, nr,
					 pattern, count_late(), late_before[nr]);
			lost = lost_thing();
			if (lost)
				fail_msg("%s of record %u, pattern %u: lost %s", f[i].name, nr, pattern, lost);

			back_to_unclean();
			damage((uint8_t *)record[nr] + at + f[i].off, f[i].size, pattern);
			fix_log();
			expect_sound_log(f[i].name, nr, pattern);
		}
}

static void record_fields(void **state)
{
	FIELD_TABLE(f, REC_FIELDS, vmem_rec);
	unsigned int i;

	(void)state;
	for (i = 0; i < nr_records; i += 3)
		damage_record(i, 0, f, COUNT(f));
}

static void commit_fields(void **state)
{
	FIELD_TABLE(f, COMMIT_FIELDS, vmem_rec_commit);
	unsigned int i, nr = 0;

	(void)state;
	for (i = 0; i < nr_records; i++) {
		back_to_unclean();
		if (vmem_get16(record[i]->type) != VMEM_REC_COMMIT)
			continue;
		damage_record(i, sizeof(struct vmem_rec), f, COUNT(f));
		nr++;
	}
	assert_true(nr > 0);
}

/* Each kind of change that the log holds. */
static void delta_fields(void **state)
{
	FIELD_TABLE(f, DELTA_FIELDS, vmem_delta);
	bool seen[256] = { false };
	unsigned int i, k;

	(void)state;
	for (i = 0; i < nr_records; i++) {
		size_t at = sizeof(struct vmem_rec);

		back_to_unclean();
		if (vmem_get16(record[i]->type) != VMEM_REC_OP)
			continue;
		for (k = vmem_get16(record[i]->nr_deltas); k; k--) {
			const struct vmem_delta *d;
			unsigned int kind;

			back_to_unclean();
			d = (const struct vmem_delta *)((uint8_t *)record[i] + at);
			kind = (unsigned int)(vmem_get64(d->where) >> 56);
			if (!seen[kind])
				damage_record(i, at, f, COUNT(f));
			seen[kind] = true;
			back_to_unclean();
			at += sizeof(*d);
			if (kind == VMEM_D_BYTES || kind == VMEM_D_DATA)
				at += (vmem_get32(d->len) + 7) & ~(size_t)7;
		}
	}
	assert_true(seen[VMEM_D_BYTES] && seen[VMEM_D_SETBITS]);
}

/* usage: test_log [TEST [SEED]] */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_fields),
		cmocka_unit_test(commit_fields),
		cmocka_unit_test(delta_fields),
	};

	test_arguments(argc, argv, 0);
	return cmocka_run_group_tests_name("log", tests, make_unclean, free_unclean);
}
