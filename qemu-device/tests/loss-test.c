/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loss-test.c - use a store, and end it in the way that is asked for
 *
 * usage: loss-test quit|kill FILE
 *        loss-test fail|unnoted FILE COMMAND
 *
 * A store is made or opened on FILE, pages all over it are stored to, and then QEMU
 *   quit     ends in good order
 *   kill     ends by SIGKILL
 *   fail     is told by a flush, after the shell's COMMAND, that the host fails, and
 *            ends in good order
 *   unnoted  the same; and it says that nobody will know
 * The exit status is not 0 when anything else happens.  What is to be found on the
 * host afterwards is looked at by tests/losses-test.sh.
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "testdriver.h"

/* Far from each other: each dirties a page. */
#define STEP 0x8000

static void store_everywhere(Driver *d)
{
    for (uint64_t at = 0; at < d->store_length; at += STEP) {
        qtest_writeq(d->qts, d->store + at, ~at);
    }
}

static void fail(Driver *d, const char *command, bool unnoted)
{
    struct vmemstore_config config;

    g_assert_cmpint(system(command), ==, 0);
    g_assert_cmpuint(flush(d, 0, NULL), ==, VMEMSTORE_S_IOERR);
    qtest_qmp_eventwait(d->qts, "VMEMSTORE_ERROR");
    config_read(d, &config);
    g_assert_cmpuint(config.state, ==, VMEMSTORE_STATE_IO_ERROR);
    if (unnoted) {
        qtest_qmp_eventwait(d->qts, "VMEMSTORE_LOSS_NOT_NOTED");
    }
}

int main(int argc, char **argv)
{
    g_autofree char *options = NULL;
    Driver d;

    if (argc < 3) {
        g_printerr("usage: loss-test quit|kill|fail|unnoted FILE [COMMAND]\n");
        return 2;
    }
    options = g_strdup_printf("file=%s", argv[2]);
    driver_start(&d, "q35", options);
    store_everywhere(&d);
    if (g_str_equal(argv[1], "kill")) {
        driver_kill(&d);
        return 0;
    }
    if (argc > 3) {
        fail(&d, argv[3], g_str_equal(argv[1], "unnoted"));
    }
    driver_stop(&d);
    return 0;
}
