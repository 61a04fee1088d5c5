// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_calls.c - every allocation and every flush of every script fails once, and
 * every request for room, and to take it back, on a thin store
 *
 * A first run without failures notes what is there after each operation.
 * Then there is a run for each call, in which that one fails.
 */
#include "player.h"
#include "fs/fs.h"

#define WORKED_BACK "write-back was met earlier"

struct course {
	const struct script *script;
	struct image image;
	struct op op[MAX_OPS];
	unsigned int nr;
	struct tree after[MAX_OPS + 1];	/* [0]: before the first */
	unsigned int durable[MAX_OPS + 1]; /* newest tree that a failure of the host must keep */
};

/* What is happening, for whoever reads of a failure. */
static char where_[400];

#define HOLDS(x) do { if (!(x)) fail_msg("%s: not true: %s", where_, #x); } while (0)
#define RESULT(want, x) do { \
		int is_ = (x); \
		if (is_ != (want)) \
			fail_msg("%s: %s is %d, should be %d", where_, #x, is_, (int)(want)); \
	} while (0)

static bool is_op(const struct op *op, const char *name)
{
	return !strncmp(op->text, name, strlen(name));
}

static bool makes_durable(const struct op *op)
{
	return is_op(op, "sync") || is_op(op, "fsync") || is_op(op, "checkpoint") ||
	       is_op(op, "remount") || is_op(op, "hostcrash") || is_op(op, "ro");
}

static void expect_tree(struct player *p, const struct tree *want, const char *when)
{
	struct tree is;
	const char *bad;

	player_look(p, &is);
	bad = tree_differs(&is, want);
	if (bad)
		fail_msg("%s: %s: %s", where_, when, bad);
	tree_free(&is);
}

/* ---- The run without failures ---- */

static void chart(struct course *k, const struct script *script, enum vmem_domain domain)
{
	static struct player p;
	unsigned int i;

	memset(k, 0, sizeof(*k));
	k->script = script;
	make_image(&k->image, script, domain);
	k->nr = parse_script(script->text, k->op);
	player_open(&p, &k->image);
	assert_int_equal(player_mount(&p), 0);
	player_look(&p, &k->after[0]);
	for (i = 0; i < k->nr; i++) {
		int err = play(&p, &k->op[i]);

		snprintf(where_, sizeof(where_), "%s, without failures: '%s'", script->name,
			 k->op[i].text);
		RESULT(0, err);
		player_check(&p, k->op[i].text);
		player_look(&p, &k->after[i + 1]);
		k->durable[i + 1] = makes_durable(&k->op[i]) ? i + 1 : k->durable[i];
	}
	assert_int_equal(player_put_all(&p), 0);
	assert_int_equal(player_umount(&p), 0);
	assert_int_equal(sim_check(p.c.sim), 0);
	player_close(&p);
}

static void roll_up(struct course *k)
{
	unsigned int i;

	for (i = 0; i <= k->nr; i++)
		tree_free(&k->after[i]);
	free(k->image.bytes);
}

/* Operation i failed or not: the tree is that before or that after it. */
static void judge(struct course *k, struct player *p, unsigned int i, int err)
{
	const struct tree *old = &k->after[i], *new = &k->after[i + 1];
	const char *bad;
	struct tree is;

	if (!p->c.fs || k->op[i].changes_many)
		return;
	player_look(p, &is);
	bad = tree_differs(&is, new);
	if (bad && err)
		bad = tree_differs(&is, old);
	/* Overwriting in place is the one thing that may be done by halves. */
	if (bad && err)
		bad = tree_between(&is, old, new);
	if (bad)
		fail_msg("%s: result %d, but %s", where_, err, bad);
	tree_free(&is);
}

/* ---- Memory ---- */

/* error: what a call may have failed with; nothing else may go wrong. */
static void finish_run(struct course *k, struct player *p, int error)
{
	int err;

	expect_tree(p, &k->after[k->nr], "at the end");
	snprintf(where_, sizeof(where_), "%s, call %llu: the end", k->script->name,
		 (unsigned long long)p->fail_at);
	err = player_put_all(p);
	HOLDS(!err || (err == error && p->fired));
	player_check(p, "put");
	err = player_umount(p);
	HOLDS(!err || (err == error && p->fired));
	p->failing = FAIL_NOTHING;
	if (err)
		assert_int_equal(player_mount(p), 0);
	else
		RESULT(0, (int)sim_check(p->c.sim));
	if (!p->c.fs)
		assert_int_equal(player_mount(p), 0);
	expect_tree(p, &k->after[k->nr], "after the unmount");
	assert_int_equal(player_umount(p), 0);
	RESULT(0, (int)sim_check(p->c.sim));
}

/* Allocation n fails; false: there are not so many. */
static bool run_without_memory(struct course *k, uint64_t n)
{
	static struct player p;
	unsigned int i, later = 0;
	bool fired = false;
	int err;

	player_open(&p, &k->image);
	p.failing = FAIL_ALLOC;
	p.fail_at = n;
	snprintf(where_, sizeof(where_), "%s, allocation %llu: mount", k->script->name,
		 (unsigned long long)n);
	err = player_mount(&p);
	HOLDS(p.fired ? err == -ENOMEM : !err);
	if (err)
		RESULT(0, player_mount(&p));
	for (i = 0; i < k->nr; i++) {
		bool before = p.fired;

		snprintf(where_, sizeof(where_), "%s, allocation %llu: '%s'", k->script->name,
			 (unsigned long long)n, k->op[i].text);
		err = play(&p, &k->op[i]);
		player_check(&p, k->op[i].text);
		if (p.fired && !before) {
			HOLDS(!err || err == -ENOMEM);
			HOLDS(!p.c.fs || !p.c.fs->error);
			judge(k, &p, i, err);
			if (err)
				err = play(&p, &k->op[i]);
			later = 4;
		}
		RESULT(0, err);
		/* What a failure left may show a little later.  How much fits may differ. */
		if (later && !is_op(&k->op[i], "fill"))
			expect_tree(&p, &k->after[i + 1], "the tree");
		later -= later > 0;
	}
	finish_run(k, &p, -ENOMEM);
	fired = p.fired;
	player_close(&p);
	return fired;
}

static void out_of_memory_at_any_call_is_an_error_and_nothing_else(void **state)
{
	static struct course k;
	uint64_t n, total = 0;
	unsigned int i;

	for (i = 0; i < nr_scripts; i++) {
		chart(&k, &scripts[i], domain_of(state));
		for (n = 1; run_without_memory(&k, n); n++)
			;
		total += n - 1;
		roll_up(&k);
	}
	printf("# domain %d: %llu allocations failed, each in a run of its own\n", domain_of(state),
	       (unsigned long long)total);
	assert_true(total > 200);
}

/* ---- Room on the host ---- */

/* A host without room concerns what needs more of it, and never what is there. */
static void live_without_room(struct player *p, const struct tree *want)
{
	if (!p->c.fs)
		return;
	RESULT(0, vmem_sync(p->c.fs));
	RESULT(0, vmem_checkpoint(p->c.fs));
	expect_tree(p, want, "made durable on a full host");
	player_check(p, "sync");
}

/* The first failure, at operation i: what it leaves, and its end when it is one. */
static void after_refusal(struct course *k, struct player *p, unsigned int i, int *err)
{
	struct tree is;
	bool full = p->failing == HOST_FULL;

	p->failing = FAIL_NOTHING;
	HOLDS(!*err || *err == p->error || (full && *err == -ENOSPC));
	HOLDS(!p->c.fs || !p->c.fs->error);
	/* To make durable what is there, and to mount it, needs no more room. */
	if (full && p->error == -ENOSPC && (makes_durable(&k->op[i]) || is_op(&k->op[i], "crash")))
		RESULT(0, *err);
	judge(k, p, i, *err);
	if (full && p->c.fs) {
		player_look(p, &is);
		live_without_room(p, &is);
		tree_free(&is);
	}
	player_make_room(p);
	if (*err)
		*err = play(p, &k->op[i]);
}

/* Call n of provision or discard fails with error; false: there are not so many. */
static bool run_with_unwilling_host(struct course *k, uint64_t n, enum failing failing, int error)
{
	static struct player p;
	unsigned int i, later = 0;
	bool fired;
	int err;

	player_open(&p, &k->image);
	p.failing = failing;
	p.error = error;
	p.fail_at = n;
	snprintf(where_, sizeof(where_), "%s, call %llu, error %d: mount", k->script->name,
		 (unsigned long long)n, error);
	err = player_mount(&p);
	HOLDS(!err || (p.fired && err == error));
	player_make_room(&p);
	if (err)
		RESULT(0, player_mount(&p));
	for (i = 0; i < k->nr; i++) {
		bool before = p.fired;

		snprintf(where_, sizeof(where_), "%s, call %llu, error %d: '%s'", k->script->name,
			 (unsigned long long)n, error, k->op[i].text);
		err = play(&p, &k->op[i]);
		player_check(&p, k->op[i].text);
		if (p.fired && !before) {
			after_refusal(k, &p, i, &err);
			later = 4;
		}
		RESULT(0, err);
		if (later && !is_op(&k->op[i], "fill"))
			expect_tree(&p, &k->after[i + 1], "the tree");
		later -= later > 0;
	}
	finish_run(k, &p, error);
	fired = p.fired;
	player_close(&p);
	return fired;
}

static uint64_t refuse_each(enum vmem_domain domain, enum failing failing, int error)
{
	static struct course k;
	uint64_t n, total = 0;
	unsigned int i;

	for (i = 0; i < nr_scripts; i++) {
		if (!scripts[i].thin)
			continue;
		chart(&k, &scripts[i], domain);
		for (n = 1; run_with_unwilling_host(&k, n, failing, error); n++)
			;
		total += n - 1;
		roll_up(&k);
	}
	return total;
}

static void a_host_that_finds_no_room_is_an_error_of_the_call_and_nothing_else(void **state)
{
	enum vmem_domain domain = domain_of(state);
	uint64_t total = refuse_each(domain, FAIL_PROVISION, -ENOSPC);

	total += refuse_each(domain, FAIL_PROVISION, -EIO);
	total += refuse_each(domain, HOST_FULL, -ENOSPC);
	total += refuse_each(domain, HOST_FULL, -EIO);
	printf("# domain %d: %llu runs in which the host refused room\n", domain,
	       (unsigned long long)total);
	assert_true(total > 50);
}

static void a_discard_that_fails_gives_no_room_back_and_harms_nothing(void **state)
{
	enum vmem_domain domain = domain_of(state);
	uint64_t total = refuse_each(domain, FAIL_DISCARD, -EIO);

	total += refuse_each(domain, FAIL_DISCARD, -EOPNOTSUPP);
	printf("# domain %d: %llu runs with a failed discard\n", domain, (unsigned long long)total);
	assert_true(total > 10);
}

/* ---- Flushes ---- */

/* Nothing that could be lost is accepted any more, and what is there can be read. */
static void expect_io_error(struct player *p)
{
	struct vmem_attr attr = { .mode = S_FILE };
	struct vmem_inode root, vi;

	HOLDS(vmem_is_read_only(p->c.fs));
	HOLDS(strstr(p->first_log, "could not read or write back"));
	RESULT(1, (int)p->lines);
	p->disarmed = true;
	RESULT(0, vmem_iget(p->c.fs, VMEM_ROOT_INO, &root));
	RESULT(-EIO, vmem_fsync(&root, false));
	RESULT(-EIO, vmem_fsync(&root, true));
	RESULT(-EIO, vmem_sync(p->c.fs));
	RESULT(-EIO, vmem_checkpoint(p->c.fs));
	RESULT(-EIO, vmem_create(&root, N("never"), &attr, &vi));
	RESULT(1, (int)p->lines);
	RESULT(-EROFS, vmem_remount(p->c.fs, false));
	HOLDS(strstr(p->c.sim->last_log, "stays read-only after a failed write-back"));
	p->disarmed = false;
}

/* The mount says what had happened, once; fsck is told, too, and may clear it. */
static void expect_warning(struct player *p, const struct tree *want)
{
	struct vmem_mount_opts check = { .domain = p->c.domain, .check = true, .check_done = true };
	struct vmem_check_result result;

	p->failing = FAIL_NOTHING;
	p->lines = 0;
	RESULT(0, player_mount(p));
	HOLDS(p->lines == 1 && strstr(p->first_log, WORKED_BACK));
	if (want)
		expect_tree(p, want, "after the mount");
	RESULT(0, player_umount(p));
	RESULT(0, (int)player_fsck(p, &result));
	HOLDS(result.needs_check);
	RESULT(0, try_mount(&p->c, &check));
	RESULT(0, player_umount(p));
	p->lines = 0;
	RESULT(0, player_mount(p));
	RESULT(0, (int)p->lines);
	RESULT(0, player_umount(p));
	RESULT(0, (int)sim_check(p->c.sim));
}

/* The host fails, too: what was durable before the failed flush is there. */
static void host_fails(struct course *k, struct player *p, unsigned int i)
{
	struct vmem_mount_opts opts = { .domain = p->c.domain, .check = true };
	struct tree is;
	unsigned int s;

	p->failing = FAIL_NOTHING;
	fail_now(&p->c, SIM_HOST);
	p->c.fs = NULL;
	RESULT(0, try_mount(&p->c, &opts));
	player_look(p, &is);
	for (s = k->durable[i]; s <= i + 1 && !tree_same_names(&is, &k->after[s]); s++)
		;
	HOLDS(s <= i + 1);
	tree_free(&is);
	RESULT(0, player_umount(p));
	RESULT(0, (int)sim_check(p->c.sim));
}

/* The ways in which a file system ends whose flush failed. */
static void end_after_failure(struct course *k, struct player *p, unsigned int i, unsigned int way)
{
	bool exact = !k->op[i].changes_many;
	struct tree is;
	int err;

	player_look(p, &is);
	switch (way % 4) {
	case 0:		/* unmounted */
		player_put_all(p);
		RESULT(-EIO, player_umount(p));
		expect_warning(p, &is);
		break;
	case 1:		/* as by remount,ro */
		RESULT(0, vmem_remount(p->c.fs, true));
		player_put_all(p);
		RESULT(-EIO, player_umount(p));
		expect_warning(p, &is);
		break;
	case 2:		/* the guest is killed; its worker had been asked for a checkpoint */
		HOLDS(p->kicked);
		err = vmem_checkpoint(p->c.fs);
		RESULT(-EIO, err);
		memset(p->held, 0, sizeof(p->held));
		fail_now(&p->c, SIM_GUEST);
		p->c.fs = NULL;
		expect_warning(p, exact ? &is : NULL);
		break;
	default:
		memset(p->held, 0, sizeof(p->held));
		host_fails(k, p, i);
	}
	tree_free(&is);
}

/* A mount that failed has changed nothing that matters: the next one succeeds. */
static void mount_after_failure(struct player *p, const struct tree *want)
{
	HOLDS(p->lines == 1 && strstr(p->first_log, "could not read or write back"));
	p->failing = FAIL_NOTHING;
	RESULT(0, player_mount(p));
	if (want)
		expect_tree(p, want, "after the failed mount");
	RESULT(0, player_umount(p));
	RESULT(0, (int)sim_check(p->c.sim));
}

/* Flush n fails, and with FAIL_FLUSHES all that follow; false: there are not so many. */
static bool run_with_failing_flush(struct course *k, uint64_t n, enum failing failing)
{
	static struct player p;
	unsigned int i;
	int err;

	player_open(&p, &k->image);
	p.failing = failing;
	p.fail_at = n;
	snprintf(where_, sizeof(where_), "%s, flush %llu: mount", k->script->name,
		 (unsigned long long)n);
	err = player_mount(&p);
	HOLDS(p.fired ? err == -EIO : !err);
	if (p.fired)
		mount_after_failure(&p, &k->after[0]);
	for (i = 0; i < k->nr && !p.fired; i++) {
		snprintf(where_, sizeof(where_), "%s, flush %llu: '%s'", k->script->name,
			 (unsigned long long)n, k->op[i].text);
		err = play(&p, &k->op[i]);
		player_check(&p, k->op[i].text);
		RESULT(p.fired ? -EIO : 0, err);
		if (!p.fired)
			continue;
		judge(k, &p, i, err);
		if (p.c.fs) {
			expect_io_error(&p);
			end_after_failure(k, &p, i, (unsigned int)n + failing);
		} else {
			mount_after_failure(&p, &k->after[i + 1]);
		}
	}
	if (!p.fired) {
		assert_int_equal(player_put_all(&p), 0);
		err = player_umount(&p);
		RESULT(p.fired ? -EIO : 0, err);
		if (p.fired)
			expect_warning(&p, &k->after[k->nr]);
	}
	player_close(&p);
	return p.fired;
}

static void a_failed_flush_is_an_error_from_then_on_and_the_next_mount_says_so(void **state)
{
	static struct course k;
	uint64_t n, total = 0;
	unsigned int i;

	for (i = 0; i < nr_scripts; i++) {
		chart(&k, &scripts[i], domain_of(state));
		for (n = 1; run_with_failing_flush(&k, n, FAIL_FLUSH); n++)
			run_with_failing_flush(&k, n, FAIL_FLUSHES);
		total += 2 * (n - 1);
		roll_up(&k);
	}
	printf("# domain %d: %llu runs with failed flushes\n", domain_of(state),
	       (unsigned long long)total);
	assert_true(total >= 2 * 3 * nr_scripts);
}

static void a_failed_commit_in_two_parts_is_an_error_from_then_on(void **state)
{
	player_commits = true;
	a_failed_flush_is_an_error_from_then_on_and_the_next_mount_says_so(state);
	player_commits = false;
}

/* usage: test_calls [PATTERN]: tests whose names match */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		EACH_DOMAIN(out_of_memory_at_any_call_is_an_error_and_nothing_else),
		EACH_DOMAIN(a_host_that_finds_no_room_is_an_error_of_the_call_and_nothing_else),
		EACH_DOMAIN(a_discard_that_fails_gives_no_room_back_and_harms_nothing),
		{ "a_failed_flush_is_an_error_from_then_on_and_the_next_mount_says_so_guest",
		  a_failed_flush_is_an_error_from_then_on_and_the_next_mount_says_so, NULL, NULL, &domain_guest },
		{ "a_failed_flush_is_an_error_from_then_on_and_the_next_mount_says_so_host",
		  a_failed_flush_is_an_error_from_then_on_and_the_next_mount_says_so, NULL, NULL, &domain_host },
		{ "a_failed_commit_in_two_parts_is_an_error_from_then_on_commit",
		  a_failed_commit_in_two_parts_is_an_error_from_then_on, NULL, NULL, &domain_host },
	};
	int failed;

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	failed = cmocka_run_group_tests_name("calls", tests, NULL, NULL);

	print_sites("calls");
	return failed;
}
