/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * fault.h - known bugs, to be seeded
 *
 * A test of crashes is worth what it catches.  Where VMEM_BROKEN(name) is
 * true the core does what file systems on persistent memory are known to get
 * wrong; the crash explorer must catch each.  Compiled in only with
 * VMEM_FAULTS; else constant false.
 */
#ifndef VMEM_FAULT_H
#define VMEM_FAULT_H

#define VMEM_FAULT_LIST(F) \
	F(FENCE_RECORD,	"a record is not drained before its operation returns") \
	F(FENCE_DATA,	"data is drained together with the record that links it, not before") \
	F(WRITEBACK,	"a store of less than a cache line is not written back") \
	F(LONG_NAME,	"of what crosses a page, as a long name can, the rest is not written back") \
	F(SHORT_CSUM,	"the checksum of a record covers its header only") \
	F(PUBLISH_EARLY, "a record is published before its body, and no checksum tells") \
	F(OPEN_GROUP,	"after a failure of the host, records count whose group was not closed") \
	F(APPLIED_EARLY, "home counts as up to date before it is") \
	F(REPLAY_OLD,	"recovery replays what is home already") \
	F(REPLAY_TOGGLES, "a replay toggles bits, so that a second one undoes it") \
	F(FLUSH,	"a flush does nothing") \
	F(DATA_LATE,	"a record counts before the data that it links is flushed") \
	F(ONE_FLUSH,	"a group's data and its commit record are flushed together, in any order") \
	F(MARK_EARLY,	"a commit record counts before its group's data is flushed") \
	F(HOME_EARLY,	"a checkpoint writes home before the log is flushed") \
	F(TAIL_EARLY,	"the tail of the log moves on before home is flushed") \
	F(RECOVERY_EARLY, "recovery writes home what only the page cache has") \
	F(REUSE_EARLY,	"a block is used again before its free is durable") \
	F(ROOT_IN_PLACE, "the valid root slot is overwritten, not the other") \
	F(TWO_RECORDS,	"a rename is two records: the new name, then the old one") \
	F(WHITEOUT_LATE, "a rename makes its whiteout by a second record") \
	F(VICTIM,	"a rename forgets the link count of its victim") \
	F(ORPHAN,	"an unlinked file is not noted as an orphan") \
	F(ORPHANS_EARLY, "orphans are counted before the allocator has what the log says") \
	F(ORPHANS_KEPT,	"recovery does not free orphans") \
	F(PARENT,	"a directory that moves keeps its old parent") \
	F(SIZE_EARLY,	"a file has its new size before its data") \
	F(GAP,		"a file that grows shows what lies behind its end") \
	F(TAIL_IN_PLACE, "a truncate zeroes in place what a failure may bring back") \
	F(UNLOG,	"a replay brings back bytes that were overwritten since") \
	F(FSYNC_DATA,	"fsync forgets what was overwritten in place") \
	F(HANDLE_LOCAL,	"fsync forgets what another handle wrote") \
	F(DISCARD_EARLY, "a block goes back to the host before its free is durable") \
	F(HOLE,		"what went back to the host counts as provisioned") \
	F(GROW_SUPER_FIRST, "growing: the superblock is overwritten before a root says what it was") \
	F(GROW_EARLY,	"growing: the root switches before the new groups are durable") \
	F(GROW_DONE_EARLY, "growing: the root forgets it before the superblock is durable") \
	F(FEATURE_LATE,	"an attribute is stored although no superblock says that there are any") \
	F(LABEL_AT_ONCE, "the label of the superblock is overwritten before the backup with the new one is durable") \
	F(VALUE_UNLINKED, "the blocks of a large attribute are not flushed with the record that links them") \
	F(ACL_AND_MODE,	"an access list and the mode that goes with it are two records") \
	F(CONVERT_STALE, "preallocated blocks become data with what was in them") \
	F(CONVERT_EARLY, "preallocated blocks count as data before their zeros are flushed") \
	F(ZERO_EARLY,	"data that is not durably given up is zeroed in place") \
	F(PART_IN_PLACE, "a hole zeroes parts of blocks in place") \
	F(COLLAPSE_KEEPS, "what a collapse cuts out stays under what moves there")

/* Those of two threads, which the concurrency explorer must catch. */
#define VMEM_RACE_LIST(F) \
	F(FULL_RECORD,	"a record that cannot take all of a write is called damage") \
	F(UNUSED_LOST,	"blocks of a write whose hole a mapping filled meanwhile are not given back") \
	F(DISCARD_RACE,	"switching discard off releases blocks that the host is about to discard") \
	F(LATE_TAIL,	"what a truncate left over moves the last block under a mapping made since") \
	F(TOUCH_LOST,	"a record takes back a time that was touched while it was made") \
	F(RIDE_RACE,	"bytes ride in a record although a mapping can store to their place") \
	F(MARK_LOST,	"what cannot be found to be marked dirty is forgotten") \
	F(JOIN_CLOSED,	"fsync takes a group that was closed while it waited for its own") \
	F(ROUND_OLD,	"fsync takes a commit that had begun before for one that flushes its bytes") \
	F(DIRTY_LOST,	"fsync forgets what was stored while it flushed") \
	F(IGET_EARLY,	"an inode is read while the record that makes it is not there yet") \
	F(HOME_NEWER,	"a checkpoint takes home what a later record has changed") \
	F(SEQ_KEPT,	"who reads the extents of a file without the lock is not told that they change") \
	F(SEQ_BLIND,	"who reads the extents of a file without the lock does not look whether they changed") \
	F(PAGE_EARLY,	"pages of the overlay are freed while somebody reads them") \
	F(TAIL_LATE,	"a checkpoint gives up records that were made while it flushed") \
	F(FILL_BLIND,	"a fault does not look again whether another has filled its hole") \
	F(CONVERT_BLIND, "a fault does not look again whether another has made a preallocated block data") \
	F(GIVE_BLIND,	"preallocation does not look again whether a fault has filled its hole") \
	F(WRITE_BLIND,	"a write does not look again whether a fault has filled its hole") \
	F(TRIM_UNHELD,	"what is being trimmed can be allocated meanwhile") \
	F(READY_LATE,	"a chunk counts as provisioned although a part was discarded meanwhile") \
	F(LOCK_KEPT,	"whoever finds his group closed keeps commit_lock") \
	F(LOCK_ORDER,	"a checkpoint takes two locks the wrong way round")

#define VMEM_FAULT_ENUM(name, text) VMEM_FAULT_##name,
enum vmem_fault {
	VMEM_FAULT_NONE, VMEM_FAULT_LIST(VMEM_FAULT_ENUM)
	VMEM_NR_FAULTS, VMEM_RACE_LIST(VMEM_FAULT_ENUM)
	VMEM_FAULT_END
};

#ifdef VMEM_FAULTS
extern enum vmem_fault vmem_fault;
#define VMEM_BROKEN(name) (vmem_fault == VMEM_FAULT_##name)
#else
#define VMEM_BROKEN(name) 0
#endif

#endif /* VMEM_FAULT_H */
