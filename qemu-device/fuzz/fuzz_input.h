/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_input.h - the bytes of one input, as numbers and addresses
 *
 * An input never ends in the middle: behind its last byte come zeros.  seeds.py
 * writes what this reads.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include "tests/qtest/testdriver.h"

typedef struct Input {
    const uint8_t *at;
    const uint8_t *end;
} Input;

/* The device number on the bus differs; these are the same for all. */
#define FUZZ_RAM_SIZE (64ull << 20)
#define FUZZ_REGISTERS 0x4000       /* bytes of BAR 4 */

static inline bool input_ended(const Input *in)
{
    return in->at == in->end;
}

static inline uint8_t input_u8(Input *in)
{
    return input_ended(in) ? 0 : *in->at++;
}

static inline uint16_t input_u16(Input *in)
{
    uint16_t low = input_u8(in);

    return low | input_u8(in) << 8;
}

static inline uint32_t input_u32(Input *in)
{
    uint32_t low = input_u16(in);

    return low | (uint32_t)input_u16(in) << 16;
}

static inline uint64_t input_u64(Input *in)
{
    uint64_t low = input_u32(in);

    return low | (uint64_t)input_u32(in) << 32;
}

/* Any number, but most often one near a limit of a store of @size bytes. */
static inline uint64_t input_number(Input *in, uint64_t size)
{
    switch (input_u8(in) & 7) {
    case 0:
        return input_u8(in);
    case 1:
        return input_u8(in) * 4096ull;
    case 2:
        return input_u16(in);
    case 3:
        return size - input_u8(in);
    case 4:
        return size - input_u8(in) * 4096ull;
    case 5:
        return -(uint64_t)input_u8(in);
    case 6:
        return input_u32(in);
    default:
        return input_u64(in);
    }
}

/* Any guest physical address, but most often one where something is. */
static inline uint64_t input_address(Input *in, const Driver *d, uint64_t size)
{
    switch (input_u8(in) & 15) {
    case 0:
        return d->store + input_number(in, size);
    case 1:
        return d->common + input_u16(in) % FUZZ_REGISTERS;
    case 2:
        return d->notify;
    case 3:
        return d->msix_table + input_u8(in);
    case 4:
        return DESC_ADDR + input_u16(in) % 0x4000;
    case 5:
        return FUZZ_RAM_SIZE - input_u8(in);
    case 6:
        return d->store + d->store_bar_size - input_u8(in);
    case 7:
        return input_u64(in);
    case 8:
        return input_u32(in);
    case 9:
        return d->config + input_u8(in);
    default:
        return buffer(input_u8(in) % QUEUE_SIZE) + input_u8(in);
    }
}

#endif /* FUZZ_INPUT_H */
