/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pin.c - a QEMU plugin that says what VFIO says when it pins the guest's memory
 *
 * PIN=first: before any device is made; PIN=last: when QEMU ends, and then prints
 * whether QEMU has refused it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of QEMU: softmmu/physmem.c, called by hw/vfio/common.c. */
int ram_block_uncoordinated_discard_disable(bool state);

/* Of qemu-plugin.h, for every version from 1 on. */
__attribute__((visibility("default"))) int qemu_plugin_version = 1;
int qemu_plugin_install(unsigned long id, const void *info, int argc, char **argv);

static void pin_last(void)
{
    fprintf(stderr, "pinning is %s\n",
           ram_block_uncoordinated_discard_disable(true) ? "refused" : "possible");
}

__attribute__((visibility("default")))
int qemu_plugin_install(unsigned long id, const void *info, int argc, char **argv)
{
    const char *when = getenv("PIN");

    (void)id, (void)info, (void)argc, (void)argv;
    if (when && !strcmp(when, "first")) {
        return ram_block_uncoordinated_discard_disable(true);
    }
    return atexit(pin_last);
}
