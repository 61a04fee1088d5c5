// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* generation-of FILE - print the backing generation of a file, for tests */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "generation.h"

int main(int argc, char **argv)
{
    uint8_t generation[VMEMSTORE_BACKING_GENERATION_LEN];
    int fd, err;

    if (argc != 2) {
        fprintf(stderr, "usage: generation-of FILE\n");
        return 2;
    }
    fd = open(argv[1], O_RDONLY);
    if (fd < 0) {
        perror(argv[1]);
        return 1;
    }
    err = vmemstore_backing_generation(fd, generation);
    if (err) {
        fprintf(stderr, "%s: %s\n", argv[1], strerror(-err));
        return 1;
    }
    for (int i = 0; i < VMEMSTORE_BACKING_GENERATION_LEN; i++) {
        printf("%02x", generation[i]);
    }
    printf("\n");
    return 0;
}
