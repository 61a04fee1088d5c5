/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_request.h - requests of every kind, and what the specification says to them
 */
#ifndef FUZZ_REQUEST_H
#define FUZZ_REQUEST_H

#include "fuzz_input.h"

#define FUZZ_REQUEST_BYTES 2048     /* no request that is made has more */

/* What a device is able to do; see docs/device.md. */
typedef struct FuzzAbility {
    uint64_t size;
    bool pmem;                  /* compat=virtio-pmem */
    bool provision, discard, small_pages, prefetch;
    bool lost;                  /* it has lost data: flushes fail */
} FuzzAbility;

typedef struct FuzzRequest {
    uint8_t bytes[FUZZ_REQUEST_BYTES];
    uint32_t length;
} FuzzRequest;

/* Take the next request from the input. */
void fuzz_make_request(Input *in, const FuzzAbility *can, FuzzRequest *req);

/* The answer that it deserves: S_OK, S_INVALID or S_UNSUPP. */
uint32_t fuzz_expected_status(const FuzzAbility *can, const FuzzRequest *req);

/* Of a request with S_OK: the mark of a commit; false: none. */
bool fuzz_request_mark(const FuzzRequest *req, uint64_t *offset,
                       uint64_t *value);

#endif /* FUZZ_REQUEST_H */
