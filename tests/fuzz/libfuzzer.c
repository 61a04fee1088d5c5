// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* libfuzzer.c - the entry points of clang's libFuzzer */
#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	world.verbose = getenv("VERBOSE") != NULL;
	make_bases();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in;

	if (decode_input(data, size, &in))
		fuzz_one(&in);
	return 0;
}

/* Mostly by records; now and then by bytes, with libFuzzer's dictionary of compared values. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	if (seed % 8 == 0)
		return LLVMFuzzerMutate(data, size, max);
	return mutate_input(data, size, max, seed);
}
