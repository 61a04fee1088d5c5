/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmemstore_fuzz.c - the device under libFuzzer, in a QEMU tree
 *
 * An input is a device (fuzz_device.c) and what is done to it, one operation
 * after the other: what a good driver does, what no driver should, and what
 * the host does.  Nothing waits for requests unless the input says so.  After
 * each input the device is reset, and has to work.
 *
 * The driver is that of the qtests, tests/qtest/testdriver.c.
 */
#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qapi/error.h"
#include "qom/qom-qobject.h"

#include "fuzz.h"
#include "fuzz_device.h"
#include "hw/vmemstore/compat.h"

/* Of what takes long, an input has so much; of what moves memory, so much. */
#define MOST_SLOW 2
#define MOST_MOVES 8

#define MOST_DESCRIPTORS QUEUE_SIZE

typedef struct Session {
    FuzzDevice *f;
    Driver *d;
    Input in;
    uint64_t size;              /* of the store, when the input began */
    bool sane;                  /* only a good driver has been here */
    unsigned slow, moves;
} Session;

static bool may_be_slow(Session *x)
{
    return x->slow++ < MOST_SLOW;
}

static bool may_move(Session *x)
{
    return x->moves++ < MOST_MOVES;
}

static uint64_t number(Session *x)
{
    return input_number(&x->in, x->size);
}

static uint64_t address(Session *x)
{
    return input_address(&x->in, x->d, x->size);
}

/* ---- a good driver ---- */

static void op_init(Session *x)
{
    if (x->f->moved) {
        fuzz_device_find(x->f);
    }
    driver_init(x->d);
    x->sane = true;
}

static void op_check(Session *x)
{
    FuzzAbility can;
    FuzzRequest req;

    if (!x->sane) {
        op_init(x);
    }
    can = fuzz_device_ability(x->f);
    fuzz_make_request(&x->in, &can, &req);
    fuzz_device_check(x->f, &req);
}

/* Many requests by one doorbell: the same one, or with another range each. */
typedef struct Burst {
    unsigned nr;
    bool differ;
    FuzzAbility can;
    FuzzRequest req;
} Burst;

static void offer_burst(Session *x, bool differ, Burst *b)
{
    b->nr = 1 + input_u8(&x->in) % (QUEUE_SIZE / 2);
    b->differ = differ;
    if (!x->sane) {
        op_init(x);
    }
    b->can = fuzz_device_ability(x->f);
    fuzz_make_request(&x->in, &b->can, &b->req);
    for (unsigned i = 0; i < b->nr; i++) {
        if (differ && b->req.length >= 24) {
            stq_le_p(b->req.bytes + b->req.length - 16, i * 4096ull);
        }
        put_request(x->d, 2 * i, b->req.bytes, b->req.length);
        offer(x->d, 2 * i);
    }
    doorbell(x->d);
}

static void op_burst(Session *x)
{
    uint8_t kind = input_u8(&x->in);
    Burst b;

    offer_burst(x, kind & 2, &b);
    if (kind & 1) {
        g_assert(wait_used(x->d, b.nr));
        for (unsigned i = 0; i < b.nr && !b.differ; i++) {
            fuzz_check_status(x->f, &b.can, &b.req,
                              response_status(x->d, 2 * i));
        }
    } else {
        x->sane = false;
    }
}

/* The queue alone is reset, with requests in flight, and works as a new one does. */
static void op_queue_reset(Session *x)
{
    uint8_t kind = input_u8(&x->in);
    Burst b;

    if (kind & 1) {             /* whatever was before, and no more of it */
        x->sane = false;
        qtest_writew(x->d->qts, x->d->common + 22, kind >> 1 & 1);
        qtest_writew(x->d->qts, x->d->common + 58, 1);
        return;
    }
    offer_burst(x, kind & 2, &b);
    driver_reset_queue(x->d);
    fuzz_idle();
    doorbell(x->d);
    g_assert_cmpuint(qtest_readw(x->d->qts, USED_ADDR + 2), ==, 0);
    fuzz_device_check(x->f, &b.req);
}

static void op_in_use(Session *x)
{
    qtest_writel(x->d->qts, x->d->config +
                 offsetof(struct vmemstore_config, in_use), input_u8(&x->in));
}

static void op_wait(Session *x)
{
    const VMemStore *s = fuzz_device_state(x->f);
    VMemStoreEngineStats stats;

    for (int i = 0; i < 1000; i++) {
        fuzz_idle();
        vmemstore_flusher_get_stats(s->flusher, &stats);
        if (stats.in_flight == 0) {
            break;
        }
    }
}

static void op_idle(Session *x)
{
    fuzz_idle();
}

/* ---- hostile requests ---- */

typedef struct Chain {
    Descriptor descs[MOST_DESCRIPTORS];
    unsigned nr;
} Chain;

/* Cut @length bytes at @addr into pieces. */
static void chain_add(Chain *chain, uint64_t addr, uint32_t length,
                      uint32_t piece, uint16_t flags)
{
    uint32_t at = 0;

    do {
        uint32_t bytes = MIN(piece, length - at);

        if (chain->nr == MOST_DESCRIPTORS) {
            return;
        }
        chain->descs[chain->nr++] = (Descriptor) {
            .addr = addr + at, .length = bytes, .flags = flags,
        };
        at += bytes;
    } while (at < length);
}

static void chain_link(Chain *chain, unsigned first)
{
    for (unsigned i = 0; i + 1 < chain->nr; i++) {
        chain->descs[i].flags |= DESC_NEXT;
        chain->descs[i].next = (first + i + 1) % QUEUE_SIZE;
    }
}

static void put_chain(Session *x, Chain *chain, unsigned head, bool indirect)
{
    if (indirect) {
        uint64_t table = buffer(QUEUE_SIZE - 1);

        chain_link(chain, 0);
        qtest_memwrite(x->d->qts, table, chain->descs,
                       chain->nr * sizeof(chain->descs[0]));
        put_descriptor(x->d, head, (Descriptor) { .addr = table,
                       .length = chain->nr * sizeof(chain->descs[0]),
                       .flags = DESC_INDIRECT });
        return;
    }
    chain_link(chain, head);
    for (unsigned i = 0; i < chain->nr; i++) {
        put_descriptor(x->d, (head + i) % QUEUE_SIZE, chain->descs[i]);
    }
}

/*
 * A request laid out in any way.  @shape: bit 0: it is anywhere; bit 1: its
 * answer is; bit 2: room for the answer; bit 3: in pieces; bit 4: by an
 * indirect table; bit 5: and ring; bit 6: the last descriptor goes on.
 */
static void op_request(Session *x)
{
    uint8_t shape = input_u8(&x->in);
    unsigned head = input_u8(&x->in) % QUEUE_SIZE;
    uint64_t where = shape & 1 ? address(x) : buffer(head);
    uint64_t answer = shape & 2 ? address(x) : buffer(head) + 0x800;
    uint32_t room = shape & 4 ? number(x) : sizeof(struct vmemstore_resp);
    uint32_t piece = shape & 8 ? 1 + input_u8(&x->in) : UINT32_MAX;
    FuzzAbility can = { .size = x->size };
    Chain chain = { .nr = 0 };
    FuzzRequest req;

    x->sane = false;
    fuzz_make_request(&x->in, &can, &req);
    qtest_memwrite(x->d->qts, where, req.bytes, req.length);
    chain_add(&chain, where, req.length, piece, 0);
    chain_add(&chain, answer, room, piece, DESC_WRITE);
    if (shape & 64) {
        chain.descs[chain.nr - 1].flags |= DESC_NEXT;
        chain.descs[chain.nr - 1].next = head;
    }
    put_chain(x, &chain, head, shape & 16);
    offer(x->d, head);
    if (shape & 32) {
        doorbell(x->d);
    }
}

static void op_descriptor(Session *x)
{
    unsigned index = input_u8(&x->in) % QUEUE_SIZE;
    Descriptor desc = { .addr = address(x) };

    desc.length = number(x);
    desc.flags = input_u8(&x->in) & 7;
    desc.next = input_u8(&x->in);
    x->sane = false;
    put_descriptor(x->d, index, desc);
}

static void op_offer(Session *x)
{
    x->sane = false;
    offer(x->d, input_u16(&x->in));
}

/* Flags and index of the available ring, and anything else of the rings. */
static void op_rings(Session *x)
{
    uint64_t at = DESC_ADDR + input_u16(&x->in) % 0x3000;

    x->sane = false;
    qtest_writew(x->d->qts, at, input_u16(&x->in));
}

static void op_avail(Session *x)
{
    x->sane = false;
    x->d->avail_idx += input_u8(&x->in);
    qtest_writew(x->d->qts, AVAIL_ADDR, input_u8(&x->in) & 1);
    qtest_writew(x->d->qts, AVAIL_ADDR + 2, x->d->avail_idx);
}

static void op_doorbell(Session *x)
{
    uint8_t value = input_u8(&x->in);

    x->sane &= value == VMEMSTORE_VQ_REQUEST;
    qtest_writew(x->d->qts, x->d->notify, value);
}

/* ---- registers ---- */

static void write_sized(Session *x, uint64_t at, unsigned size, uint64_t value)
{
    switch (size & 3) {
    case 0:
        qtest_writeb(x->d->qts, at, value);
        break;
    case 1:
        qtest_writew(x->d->qts, at, value);
        break;
    case 2:
        qtest_writel(x->d->qts, at, value);
        break;
    default:
        qtest_writeq(x->d->qts, at, value);
    }
}

static void op_register(Session *x)
{
    uint8_t size = input_u8(&x->in);
    /* Half of them among the common registers. */
    uint64_t at = size & 16 ? input_u8(&x->in) % 64 :
                  input_u16(&x->in) % FUZZ_REGISTERS;

    if (size & 8) {
        qtest_readq(x->d->qts, x->d->common + at);
    } else {
        x->sane = false;
        write_sized(x, x->d->common + at, size, number(x));
    }
}

static void op_reset(Session *x)
{
    x->sane = false;
    qtest_writeb(x->d->qts, x->d->common + 20, 0);
}

static void op_status(Session *x)
{
    x->sane = false;
    qtest_writeb(x->d->qts, x->d->common + 20, input_u8(&x->in));
}

/* A driver that accepts something else, and goes on. */
static void op_features(Session *x)
{
    uint64_t features = x->d->features & input_u64(&x->in);

    x->sane = false;
    qtest_writeb(x->d->qts, x->d->common + 20, 0);
    qtest_writeb(x->d->qts, x->d->common + 20, 3);
    for (uint32_t half = 0; half < 2; half++) {
        qtest_writel(x->d->qts, x->d->common + 8, half);
        qtest_writel(x->d->qts, x->d->common + 12, features >> 32 * half);
    }
    qtest_writeb(x->d->qts, x->d->common + 20, 11);
}

/* Size, place and vector of the queue; see virtio v1.2, 4.1.4.3. */
static void op_queue(Session *x)
{
    uint8_t which = input_u8(&x->in);

    x->sane = false;
    qtest_writew(x->d->qts, x->d->common + 22, which & 128 ? 1 : 0);
    if (which & 1) {
        qtest_writew(x->d->qts, x->d->common + 24, number(x));
    }
    if (which & 2) {
        qtest_writew(x->d->qts, x->d->common + 26, number(x));
    }
    for (unsigned i = 0; i < 3; i++) {
        if (which & 4u << i) {
            uint64_t at = address(x);

            qtest_writel(x->d->qts, x->d->common + 32 + 8 * i, at);
            qtest_writel(x->d->qts, x->d->common + 36 + 8 * i, at >> 32);
        }
    }
    if (which & 32) {
        qtest_writew(x->d->qts, x->d->common + 28, 1);
    }
    if (which & 64) {
        qtest_writeb(x->d->qts, x->d->common + 20, 15);
    }
}

static void op_msix(Session *x)
{
    uint64_t entry = x->d->msix_table + 16 * (input_u8(&x->in) & 3);
    uint64_t at = address(x);

    if (x->d->msix_table) {
        x->sane = false;
        qtest_writel(x->d->qts, entry, at);
        qtest_writel(x->d->qts, entry + 4, at >> 32);
        qtest_writel(x->d->qts, entry + 8, input_u8(&x->in));
        qtest_writel(x->d->qts, entry + 12, input_u8(&x->in));
    }
}

/* ---- PCI ---- */

static void pci_write_sized(Session *x, uint8_t at, uint8_t size, uint32_t value)
{
    qtest_outl(x->d->qts, 0xcf8, 0x80000000u | x->d->slot << 11 | (at & ~3));
    switch (size % 3) {
    case 0:
        qtest_outb(x->d->qts, 0xcfc + (at & 3), value);
        break;
    case 1:
        qtest_outw(x->d->qts, 0xcfc + (at & 2), value);
        break;
    default:
        qtest_outl(x->d->qts, 0xcfc, value);
    }
}

static void op_pci(Session *x)
{
    uint8_t size = input_u8(&x->in);
    uint8_t at = input_u8(&x->in);

    if (may_move(x)) {
        x->sane = false;
        x->f->moved = true;
        pci_write_sized(x, at, size, size & 128 ? address(x) : number(x));
    }
}

/* Move a BAR, perhaps on top of something else. */
static void op_move(Session *x)
{
    static const uint8_t bars[] = { 0x14, 0x18, 0x20 };
    uint8_t bar = bars[input_u8(&x->in) % G_N_ELEMENTS(bars)];
    uint64_t to = address(x);

    if (may_move(x)) {
        x->sane = false;
        x->f->moved = true;
        pci_write_sized(x, bar, 2, to);
        pci_write_sized(x, bar + 4, 2, to >> 32);
    }
}

/* Registers through the window in PCI configuration space, the doorbell too. */
static void op_window(Session *x)
{
    static const uint8_t sizes[] = { 1, 2, 4, 3 };
    uint8_t kind = input_u8(&x->in);
    uint32_t offset = kind & 4 ? x->d->notify - x->d->common : number(x);
    uint8_t size = sizes[kind & 3];

    x->sane = false;
    pci_write(x->d, x->f->window + 4, kind & 8 ? input_u8(&x->in) : 4);
    pci_write(x->d, x->f->window + 8, offset);
    pci_write(x->d, x->f->window + 12, size);
    if (kind & 16) {
        pci_read(x->d, x->f->window + 16);
    } else {
        pci_write_sized(x, x->f->window + 16, kind & 3, input_u8(&x->in));
    }
}

/* ---- memory ---- */

static void op_store(Session *x)
{
    uint8_t bytes[255], length = input_u8(&x->in);
    uint64_t at = number(x);

    for (unsigned i = 0; i < length; i++) {
        bytes[i] = input_u8(&x->in) + i;
    }
    qtest_memwrite(x->d->qts, x->d->store + at, bytes, length);
    qtest_memread(x->d->qts, x->d->store + at, bytes, length);
}

static void op_write(Session *x)
{
    uint64_t at = address(x);
    uint8_t size = input_u8(&x->in);

    x->sane = false;
    write_sized(x, at, size, number(x));
}

/* ---- the host ---- */

static void op_unplug(Session *x)
{
    uint8_t kind = input_u8(&x->in);

    if (!may_be_slow(x) || !fuzz_device_unplug(x->f, kind & 1)) {
        return;
    }
    fuzz_device_plug(x->f);
    driver_init(x->d);
    x->sane = true;
}

static void op_grow(Session *x)
{
    Object *proxy = OBJECT(vmemstore_user_device(fuzz_device_state(x->f)));
    uint8_t kind = input_u8(&x->in);
    uint64_t size = kind & 128 ? number(x) : x->size + (kind & 7) * 0x200000ull;
    Error *err = NULL;

    /* More than that is only refused. */
    if (may_be_slow(x) && (size <= 0x2000000 || size > 0x100000000)) {
        object_property_set_uint(proxy, "size", size, &err);
        error_free(err);
    }
}

static void op_look(Session *x)
{
    Object *proxy = OBJECT(vmemstore_user_device(fuzz_device_state(x->f)));
    const char *const names[] = { "stats", "summary", "backing", "generation",
                                  "size", "flush-requests" };

    if (may_be_slow(x)) {
        qobject_unref(object_property_get_qobject(proxy,
                      names[input_u8(&x->in) % G_N_ELEMENTS(names)],
                      &error_abort));
    }
}

static void op_pause(Session *x)
{
    if (may_be_slow(x)) {
        vm_stop(RUN_STATE_PAUSED);
        vm_start();
    }
}

/* The file becomes shorter under the mapping, and a page of it is needed. */
static void op_lose(Session *x)
{
    uint64_t at = number(x) % x->size;

    /* The thread that keeps the shadow is for tests and does not expect that. */
    if (may_be_slow(x) && !x->f->shadow) {
        x->f->spoiled = true;
        x->sane = false;
        g_assert(truncate(x->f->image, at & ~0xfffull) == 0);
        qtest_readq(x->d->qts, x->d->store + at);
        qtest_writeq(x->d->qts, x->d->store + at, at);
    }
}

/* ---- inputs ---- */

static void (*const operations[])(Session *x) = {
    op_check, op_burst, op_request, op_store, op_wait, op_idle, op_init, op_in_use,
    op_descriptor, op_offer, op_rings, op_avail, op_doorbell, op_register, op_reset,
    op_status, op_features, op_queue, op_msix, op_pci, op_move, op_window, op_write,
    op_unplug, op_grow, op_look, op_pause, op_lose, op_queue_reset, op_request,
    op_burst, op_doorbell,
};

/* What the store has at its start may become a request: the same each time. */
static void clear_memory(Session *x)
{
    static const uint8_t zeros[QUEUE_SIZE * BUFFER_SIZE];
    const VMemStore *s = fuzz_device_state(x->f);

    qtest_memwrite(x->d->qts, DESC_ADDR, zeros, 0x4000);
    qtest_memwrite(x->d->qts, BUFFER_ADDR, zeros, sizeof(zeros));
    if (!s->mapping.readonly) {
        memset(s->mapping.base, 0, 0x10000);
    }
}

static void fuzz_one(QTestState *qts, const unsigned char *data, size_t size)
{
    Session x = { .in = { data, data + size }, .sane = true };

    x.f = fuzz_device_get(qts, input_u8(&x.in));
    x.d = &x.f->d;
    x.size = x.f->size;
    clear_memory(&x);
    while (!input_ended(&x.in)) {
        operations[input_u8(&x.in) % G_N_ELEMENTS(operations)](&x);
    }
    fuzz_device_settle(x.f);
}

/* ---- the target ---- */

/* No firmware runs; QEMU wants the file all the same. */
static GString *command_line(FuzzTarget *target)
{
    const char *dir = getenv("VMEMSTORE_FUZZ_DISK");
    g_autofree char *bios = g_strdup_printf("%s/bios", dir ? dir : g_get_tmp_dir());
    g_autofree char *zeros = g_malloc0(0x20000);
    GString *line = g_string_new("qemu-fuzz -display none -nodefaults -m 64M "
                                 "-machine pc,accel=qtest ");

    g_assert(g_file_set_contents(bios, zeros, 0x20000, NULL));
    g_string_append_printf(line, "-bios %s", bios);
    return line;
}

static void register_target(void)
{
    fuzz_add_target(&(FuzzTarget) {
        .name = "vmemstore",
        .description = "The device, its driver and its host",
        .get_init_cmdline = command_line,
        .fuzz = fuzz_one,
    });
}

fuzz_target_init(register_target);
