/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_request.c - requests of every kind (see fuzz_request.h)
 *
 * What is expected is written from docs/device.md, and shares nothing with the
 * device but the layout of requests.
 */
#include "qemu/osdep.h"

#include "fuzz_request.h"

/* virtio v1.2, 5.19.6: a request of virtio-pmem is one word. */
#define PMEM_FLUSH 0

static void put_bytes(FuzzRequest *req, const void *bytes, size_t length)
{
    g_assert(req->length + length <= FUZZ_REQUEST_BYTES);
    memcpy(req->bytes + req->length, bytes, length);
    req->length += length;
}

static uint32_t pick_type(Input *in)
{
    static const uint32_t types[] = {
        VMEMSTORE_REQ_FLUSH, VMEMSTORE_REQ_COMMIT, VMEMSTORE_REQ_PROVISION,
        VMEMSTORE_REQ_DISCARD, VMEMSTORE_REQ_SMALL_PAGES, PMEM_FLUSH,
        VMEMSTORE_REQ_PREFETCH,
    };
    uint8_t kind = input_u8(in) & 7;

    return kind < G_N_ELEMENTS(types) ? types[kind] : input_u32(in);
}

/* Most ranges are small numbers of pages inside the store. */
static void put_ranges(Input *in, const FuzzAbility *can, FuzzRequest *req,
                       unsigned nr, unsigned repeat)
{
    struct vmemstore_range range = { 0 };

    for (unsigned i = 0; i < nr; i++) {
        range.offset = input_number(in, can->size);
        range.length = input_number(in, can->size);
        put_bytes(req, &range, sizeof(range));
    }
    for (unsigned i = 0; i < repeat; i++) {
        put_bytes(req, &range, sizeof(range));
    }
}

/*
 * @shape: bits 0-2: ranges; bit 3: the last of them many times; bit 4: the
 * header says another number; bit 5: another length.
 */
void fuzz_make_request(Input *in, const FuzzAbility *can, FuzzRequest *req)
{
    struct vmemstore_commit commit = { .type = pick_type(in) };
    uint8_t shape = input_u8(in);
    unsigned nr = shape & 7, repeat = shape & 8 ? input_u8(in) % 72 : 0;

    memset(req, 0, sizeof(*req));
    commit.nr_ranges = shape & 16 ? input_number(in, can->size) : nr + repeat;
    if (commit.type == VMEMSTORE_REQ_COMMIT) {
        commit.nr_first = input_u8(in);
        commit.flags = input_u8(in);
        commit.mark_offset = input_number(in, can->size);
        commit.mark_value = input_number(in, can->size);
        put_bytes(req, &commit, sizeof(commit));
    } else {
        put_bytes(req, &commit, sizeof(struct vmemstore_req));
    }
    put_ranges(in, can, req, nr, repeat);
    if (shape & 32) {
        req->length = MAX(1, input_u8(in) * 8 % (req->length + 16) +
                          input_u8(in) % 8);
        req->length = MIN(req->length, FUZZ_REQUEST_BYTES);
    }
}

/* ---- what is right ---- */

static bool ranges_are_valid(const FuzzAbility *can, const FuzzRequest *req,
                             size_t header, uint32_t nr)
{
    if (nr > VMEMSTORE_MAX_RANGES ||
        req->length < header + nr * sizeof(struct vmemstore_range)) {
        return false;
    }
    for (uint32_t i = 0; i < nr; i++) {
        struct vmemstore_range range;
        __uint128_t end;

        memcpy(&range, req->bytes + header + i * sizeof(range), sizeof(range));
        end = (__uint128_t)range.offset + range.length;
        if (range.length == 0 || end > can->size) {
            return false;
        }
    }
    return true;
}

static bool commit_is_valid(const FuzzAbility *can, const FuzzRequest *req)
{
    struct vmemstore_commit commit;
    bool mark;

    if (req->length < sizeof(commit)) {
        return false;
    }
    memcpy(&commit, req->bytes, sizeof(commit));
    mark = commit.flags == VMEMSTORE_COMMIT_MARK;
    if (commit.flags && !mark) {
        return false;
    }
    if (commit.nr_first == 0 || commit.nr_first >= commit.nr_ranges) {
        return false;
    }
    if (mark ? commit.mark_offset % 8 || commit.mark_offset >= can->size :
        commit.mark_offset || commit.mark_value) {
        return false;
    }
    return ranges_are_valid(can, req, sizeof(commit), commit.nr_ranges);
}

uint32_t fuzz_expected_status(const FuzzAbility *can, const FuzzRequest *req)
{
    const size_t header = sizeof(struct vmemstore_req);
    struct vmemstore_req head = { 0 };
    bool offered;

    memcpy(&head, req->bytes, MIN(req->length, header));
    if (can->pmem) {
        return req->length >= sizeof(uint32_t) && head.type == PMEM_FLUSH ?
               VMEMSTORE_S_OK : VMEMSTORE_S_INVALID;
    }
    if (req->length < header) {
        return VMEMSTORE_S_INVALID;
    }
    switch (head.type) {
    case VMEMSTORE_REQ_FLUSH:
        return ranges_are_valid(can, req, header, head.nr_ranges) ?
               VMEMSTORE_S_OK : VMEMSTORE_S_INVALID;
    case VMEMSTORE_REQ_COMMIT:
        return commit_is_valid(can, req) ? VMEMSTORE_S_OK : VMEMSTORE_S_INVALID;
    case VMEMSTORE_REQ_PROVISION:
        offered = can->provision;
        break;
    case VMEMSTORE_REQ_DISCARD:
        offered = can->discard;
        break;
    case VMEMSTORE_REQ_SMALL_PAGES:
        offered = can->small_pages;
        break;
    case VMEMSTORE_REQ_PREFETCH:
        offered = can->prefetch;
        break;
    default:
        offered = false;
    }
    if (!offered) {
        return VMEMSTORE_S_UNSUPP;
    }
    return head.nr_ranges && ranges_are_valid(can, req, header, head.nr_ranges) ?
           VMEMSTORE_S_OK : VMEMSTORE_S_INVALID;
}

bool fuzz_request_mark(const FuzzRequest *req, uint64_t *offset,
                       uint64_t *value)
{
    struct vmemstore_commit commit;

    if (req->length < sizeof(commit)) {
        return false;
    }
    memcpy(&commit, req->bytes, sizeof(commit));
    *offset = commit.mark_offset;
    *value = commit.mark_value;
    return commit.type == VMEMSTORE_REQ_COMMIT &&
           commit.flags == VMEMSTORE_COMMIT_MARK;
}
