// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* Large blocks of the tests: whoever touches what is not theirs is seen, as with malloc's. */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "big.h"
#include "fixture.h"

#define SIZE	100001u

static void before(uint8_t *p)
{
	p[-1] = 1;
}

static void behind(uint8_t *p)
{
	p[SIZE] = 1;
}

static void freed(uint8_t *p)
{
	big_free(p, SIZE);
	p[SIZE / 2] = 1;
}

/* Another has been given away since. */
static void freed_long_ago(uint8_t *p)
{
	big_free(p, SIZE);
	assert_ptr_not_equal(big_alloc(SIZE), p);
	p[0] = 1;
}

static void nothing(uint8_t *p)
{
	memset(p, 1, SIZE);
}

/* Does a process that does this to a block end well? */
static bool survives(void (*touch)(uint8_t *p))
{
	uint8_t *p = big_alloc(SIZE);
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		dup2(null, 2);
		touch(p);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	big_free(p, SIZE);
	return status == 0;
}

static void errors_in_large_blocks_are_seen(void **state)
{
	(void)state;
	assert_true(survives(nothing));
	assert_false(survives(before));
	assert_false(survives(behind));
	assert_false(survives(freed));
	assert_false(survives(freed_long_ago));
}

static void large_blocks_are_zero_when_asked(void **state)
{
	unsigned int round;
	size_t i;

	(void)state;
	for (round = 0; round < 40; round++) {
		uint8_t *p = big_zalloc(SIZE);

		for (i = 0; i < SIZE; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, SIZE);
		big_free(p, SIZE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_in_large_blocks_are_seen),
		cmocka_unit_test(large_blocks_are_zero_when_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
