/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold.h - what hold.so, in QEMU, and a test tell each other
 *
 * A file that both have mapped: the test says which call of msync() is to wait,
 * and hold.so which has come.  All fields are atomic.
 */
#ifndef HOLD_H
#define HOLD_H

#include <stdint.h>

/* The environment variable with the name of the file. */
#define HOLD_FILE "VMEMSTORE_TEST_HOLD"
/* That with the name of a call that fails. */
#define HOLD_FAILS "VMEMSTORE_TEST_FAILS"

typedef struct Hold {
    uint32_t calls;         /* so far */
    uint32_t at;            /* this one waits, 1 is the first; 0: none */
    uint32_t held;          /* it does */
    uint32_t release;       /* it may go on; of calls for read-ahead so many */
    uint32_t waiting;       /* the main thread has begun to wait for another one */
    uint32_t reads;         /* calls of posix_fadvise() for read-ahead, so far */
    uint32_t read_at;       /* from this one on they wait, 1 is the first; 0: none */
    uint32_t map_us;        /* to map a file at a fixed place takes so long */
    uint32_t map_fails;     /* and fails: ENOMEM */
} Hold;

#endif /* HOLD_H */
