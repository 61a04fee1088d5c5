/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * generation.h - has the host lost its page cache since this file was last used?
 *
 * Plain libc and Linux only, no QEMU header: the device and the host tools link
 * the same function, so that a tool that works on the image directly computes
 * what a guest would be told.
 */
#ifndef VMEMSTORE_GENERATION_H
#define VMEMSTORE_GENERATION_H

#include <stdint.h>

#define VMEMSTORE_BACKING_GENERATION_LEN 16

/*
 * Fill @out with the backing generation of the open file @fd: a hash of the
 * host's boot id; of the identity of the file: device, inode number, inode
 * generation where the file system has one, the sequence number of a disk; of the
 * mount of its file system (instance.h); and of what vmemstore_generation_change()
 * left.  It differs after a host reboot, after the file system was mounted anew,
 * for a copied or re-created file, for another disk under the same name, and after
 * a failed write-back, which are the cases in which stores that were never flushed
 * may be missing.  It is not a checksum of the contents and not a secret.
 *
 * Returns 0, or a negative errno value; then @out is undefined.
 */
int vmemstore_backing_generation(int fd, uint8_t out[16]);

/*
 * A running VM arrives on this file (live migration) and goes on under the
 * generation that it knows.  From now on this is what the function above gives
 * for @fd, until this host is booted, and what it gives on any other host
 * changes: the pages that were never flushed are in this host's memory only.
 * Kept in an extended attribute of the file; durable on return.
 *
 * Returns 0, or a negative errno value; -EOPNOTSUPP and -EPERM where the file
 * cannot have one (tmpfs, block devices).
 */
int vmemstore_adopt_generation(int fd, const uint8_t generation[16]);

/*
 * The contents of a file are about to arrive (live migration): until they are
 * complete and durable it carries a mark, and is refused as a store.  Durable
 * on return.  0 or a negative errno value, as above; taking away a mark that is
 * not there is no error.
 */
int vmemstore_mark_incomplete(int fd);
int vmemstore_mark_complete(int fd);
int vmemstore_is_incomplete(int fd);    /* 1 or 0 */

/* Fill @out with what names this boot of this host.  0 or -errno. */
int vmemstore_host_boot(uint8_t out[16]);

/*
 * Data of the file has been lost: from now on its generation is another one.
 * Kept in the same attribute, and for this boot in a directory of its own
 * (notes.h), since the disk that fails may take nothing any more.
 *
 * 0, or a negative errno value as above when neither could be written.  The second
 * writes to that directory only, which never waits for the file's disk.
 */
int vmemstore_generation_change(int fd);
int vmemstore_note_loss(int fd);

/*
 * fdatasync(), for an open file that was not open when the data was stored.  Linux
 * tells one such file of a failed write-back, and none after it, so a failure
 * changes the generation: @noted is the result of that.  0 or -errno.
 */
int vmemstore_sync(int fd, int *noted);

/*
 * The file, from @offset on, is used by stores to its mapping.  Where nothing tells
 * one mount of the file system from the next, a note says so until
 * vmemstore_use_end(); found at the next vmemstore_use_begin(), it changes the
 * generation, for whoever left it there may have stored what a new mount does not
 * have.  Elsewhere both do nothing.
 *
 * begin: 1, or 0 where there is nothing to end; or -errno: then it cannot be known
 * whether anything was lost, now or next time.  end: all that was stored is on the
 * disk.
 */
int vmemstore_use_begin(int fd, uint64_t offset);
void vmemstore_use_end(int fd, uint64_t offset);
int vmemstore_is_in_use(int fd, uint64_t offset);   /* 1 or 0 */

#endif /* VMEMSTORE_GENERATION_H */
