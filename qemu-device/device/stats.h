/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stats.h - what the device counts
 */
#ifndef VMEMSTORE_STATS_H
#define VMEMSTORE_STATS_H

#include <stdint.h>

/* Latencies in powers of two of a microsecond: below 1, 2, 4 ... and the rest. */
#define VMEMSTORE_LATENCIES 24

/* Since realize; readable by QOM while the workers count.  Atomic. */
typedef struct VMemStoreStats {
    uint64_t requests;      /* flush requests executed, commits included */
    uint64_t commits;       /* of them: in two parts */
    uint64_t ranges;        /* ranges in them, as the guest gave them */
    uint64_t bytes;         /* bytes synced, after rounding and merging */
    uint64_t whole;         /* of the requests: flushes of the whole store */
    uint64_t errors;        /* requests answered with VMEMSTORE_S_IOERR */
    uint64_t invalid;       /* requests refused: malformed or unknown */
    /* Flush requests, from submission to answer. */
    uint64_t latency[VMEMSTORE_LATENCIES];
    uint64_t latency_ns;    /* sum */
} VMemStoreStats;

#endif /* VMEMSTORE_STATS_H */
