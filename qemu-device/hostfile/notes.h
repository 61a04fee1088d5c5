/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * notes.h - what whoever uses a file next must know of it
 *
 * Plain libc and Linux only, no QEMU header: part of generation.h.
 *
 * A note is some bytes under a name, in one or both of two places: an extended
 * attribute of the file (user.vmemstore.NAME), which not every file can have, and
 * which a dying disk cannot take; and a file of VMEMSTORE_RUN_DIR.  That one is
 * for this boot of this host, and found by what the file is, not by its path.
 */
#ifndef VMEMSTORE_NOTES_H
#define VMEMSTORE_NOTES_H

#include <stddef.h>
#include <stdint.h>

/* Made when it is missing; others than root need one that they may write to. */
#define VMEMSTORE_RUN_DIR "/run/vmemstore"

#define VMEMSTORE_NOTE_KEY_LEN 16

/* In the attribute of @fd; a length other than @len counts as none.  0 or -errno. */
int vmemstore_attr_get(int fd, const char *name, void *data, size_t len);
int vmemstore_attr_set(int fd, const char *name, const void *data, size_t len);
int vmemstore_attr_remove(int fd, const char *name);

/* In the directory, for the file that @key names: as above. */
int vmemstore_run_get(const uint8_t key[VMEMSTORE_NOTE_KEY_LEN],
                      const char *name, void *data, size_t len);
int vmemstore_run_set(const uint8_t key[VMEMSTORE_NOTE_KEY_LEN],
                      const char *name, const void *data, size_t len);
int vmemstore_run_remove(const uint8_t key[VMEMSTORE_NOTE_KEY_LEN],
                         const char *name);

#endif /* VMEMSTORE_NOTES_H */
