/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * image.h - a small image with each kind of structure, to be damaged and repaired
 *
 * Filled by the core.  Its names are hashed by a key made from `seed`, so that
 * directories have another shape each time and a failure can be had again.
 */
#ifndef TOOLS_TEST_IMAGE_H
#define TOOLS_TEST_IMAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offline/check.h"
#include "offline/repair.h"

#define STORE_SIZE	(16u << 20)

extern const struct vmem_env *env;
extern uint64_t seed;

/* A test program's command line, [FILTER [SEED]]; 0 as the usual seed: the time. */
void test_arguments(int argc, char **argv, uint64_t usual);
extern struct vmem_store the_store;	/* the image that is damaged */
extern uint8_t *pristine;		/* as it was made */
extern struct vmem_check_result result;
extern char first_problem[512], all_problems[8192];

/* Inodes of interest. */
extern uint64_t ino_dense, ino_sparse, ino_names, ino_fifo, ino_chr, ino_short, ino_long,
	ino_freed, ino_dir, ino_linked;

extern uint64_t victim;			/* the inode that is damaged; 0: none, so nothing may be lost */
extern uint64_t stores;			/* of the last repair */
extern char last_report[512], all_reports[8192];

/* Findings of a check; the first is in first_problem, those that fit in all_problems. */
int64_t check_image(void);
struct vmem_name name_of(const char *text);
/* As cmocka wants them. */
int make_image(void **state);
/* And lost_thing() knows it. */
int learn_image(void **state);
int free_image(void **state);
/* The image as it was made. */
void restore(void);

/* Where structures lie. */
struct vmem_superblock *superblock(void);
uint8_t *block(uint64_t nr);
struct vmem_dinode *inode(uint64_t ino);
struct vmem_root *root_slot(bool newest);
uint64_t entry_block(const struct vmem_extent *e);
struct vmem_node *first_extent_node(void);
struct vmem_node *dir_index_node(void);
struct vmem_node *dir_leaf(unsigned int i);
/* An entry of a leaf that is in use, as the one behind it is, with names of the same length. */
struct vmem_dirent *some_dirent(struct vmem_node *leaf);
struct vmem_dirent *name_for(struct vmem_node *leaf, uint64_t ino);
struct vmem_node *root_leaf(void);

/* The root's entry "names" moves into a leaf of "names" itself. */
void make_circle(void);

/* Make checksums right again; that of the backup, too. */
void fix_superblock(void);
void fix_root(struct vmem_root *root);
void fix_inode(uint64_t ino);

/* The n-th allocation from now fails; 0: none.  Returns how many there were since the last call. */
uint64_t fail_allocation(uint64_t n);
/* Bytes that the core has allocated and not given back. */
uint64_t allocated(void);

__attribute__((format(printf, 2, 0)))
void ignore_report(void *ctx, const char *fmt, va_list ap);
/* Repair in place; what vmem_repair() says. */
int repair_image(struct vmem_repair_result *r);
/* The damage in the_store.base is repaired: soundly, at once, and nothing is lost but the victim. */
void expect_sound_repair(const char *what);
/* The extended attributes of an inode, in one number. */
uint32_t xattr_digest(struct vmem_inode *vi);
/* What is not as it was; NULL: nothing but the victim.  The first call learns from a sound image. */
const char *lost_thing(void);

/* ---- For what has several damages at once ---- */

/* These words are among the findings. */
void expect_found(const char *words);
void expect_sound(const char *what);
/* These words were reported by the last repair. */
void expect_report(const char *words);
/* Found and repaired; the repaired image stays, to be looked at. */
void expect_repair_of(uint64_t ino, const char *words);
/* The same, and the image is restored. */
void expect_repair(uint64_t ino, const char *words);
/* The repair refuses, with these words; the image is restored. */
void expect_refusal(const char *words);

/* The inode that a name leads to now; 0: none. */
uint64_t find_name(uint64_t dir, const char *name);
struct vmem_ag_desc *desc(uint32_t ag);
/* The longest run of free blocks. */
uint64_t free_run(uint64_t *start);
/* A node with these entries of 16 bytes, in a block that was free; its block. */
uint64_t make_node(uint32_t magic, uint64_t ino, uint32_t level, const void *entries, uint32_t nr);
/* The inode holds nr blocks more. */
void add_blocks(uint64_t ino, int64_t nr);

static inline struct vmem_extent extent(uint64_t lblk, uint64_t len, uint64_t pblk)
{
	return (struct vmem_extent){ vmem_le64_of(lblk | (len - 1) << VMEM_LBLK_BITS), vmem_le64_of(pblk) };
}

#endif
