// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * fuse_node.c - inodes in memory: at most one per number, as the core wants it
 *
 * While one is read, or freed, its number stays in the table, and whoever comes for it
 * waits: a number that the core has given away again is not used before the old inode is
 * out of the table.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "fuse_vmemfs.h"

static struct node **bucket_of(struct fuse_fs *fs, uint64_t ino)
{
	return &fs->nodes[ino % NODE_BUCKETS];
}

static void insert(struct fuse_fs *fs, struct node *node)
{
	struct node **bucket = bucket_of(fs, node->ino);

	node->next = *bucket;
	*bucket = node;
}

static void take_out(struct fuse_fs *fs, struct node *node)
{
	struct node **p = bucket_of(fs, node->ino);

	while (*p != node)
		p = &(*p)->next;
	*p = node->next;
}

static struct node *find(struct fuse_fs *fs, uint64_t ino)
{
	struct node *node = *bucket_of(fs, ino);

	while (node && node->ino != ino)
		node = node->next;
	return node;
}

/* Waits while it is busy. */
static struct node *find_idle(struct fuse_fs *fs, uint64_t ino)
{
	struct node *node;

	while ((node = find(fs, ino)) && node->busy)
		pthread_cond_wait(&fs->nodes_cond, &fs->nodes_lock);
	return node;
}

struct node *node_new(void)
{
	struct node *node = calloc(1, sizeof(*node));

	if (node && pthread_rwlock_init(&node->lock, NULL)) {
		free(node);
		node = NULL;
	}
	return node;
}

void node_drop(struct node *node)
{
	pthread_rwlock_destroy(&node->lock);
	free(node);
}

/* Of one without a name, too: that one waits to be freed, and putting it would free it. */
static int read_node(struct fuse_fs *fs, struct node *node)
{
	int err = vmem_iget(fs->core, node->ino, &node->core);

	return !err && !vmem_get32(node->core.raw.nlink) ? -ESTALE : err;
}

int node_get(struct fuse_fs *fs, uint64_t ino, struct node **out)
{
	struct node *node, *fresh = node_new();
	int err;

	if (!fresh)
		return -ENOMEM;
	pthread_mutex_lock(&fs->nodes_lock);
	node = find_idle(fs, ino);
	if (node) {
		node->refs++;
		pthread_mutex_unlock(&fs->nodes_lock);
		node_drop(fresh);
		*out = node;
		return 0;
	}
	fresh->ino = ino;
	fresh->refs = 1;
	fresh->busy = true;
	insert(fs, fresh);
	pthread_mutex_unlock(&fs->nodes_lock);

	err = read_node(fs, fresh);

	pthread_mutex_lock(&fs->nodes_lock);
	fresh->busy = false;
	if (err)
		take_out(fs, fresh);
	pthread_cond_broadcast(&fs->nodes_cond);
	pthread_mutex_unlock(&fs->nodes_lock);
	if (err)
		node_drop(fresh);
	else
		*out = fresh;
	return err;
}

void node_put(struct fuse_fs *fs, struct node *node, uint64_t refs)
{
	bool last;

	pthread_mutex_lock(&fs->nodes_lock);
	node->refs -= refs < node->refs ? refs : node->refs;
	last = !node->refs;
	node->busy = last;
	pthread_mutex_unlock(&fs->nodes_lock);
	if (!last)
		return;
	/* Blocks that could not be freed are freed by the unmount; a failed flush by the next fsync. */
	(void)vmem_iput(&node->core);
	pthread_mutex_lock(&fs->nodes_lock);
	take_out(fs, node);
	pthread_cond_broadcast(&fs->nodes_cond);
	pthread_mutex_unlock(&fs->nodes_lock);
	node_drop(node);
}

struct node *node_of(struct fuse_fs *fs, uint64_t ino)
{
	struct node *node;

	pthread_mutex_lock(&fs->nodes_lock);
	node = find_idle(fs, ino);
	pthread_mutex_unlock(&fs->nodes_lock);
	return node;
}

struct node *node_made(struct fuse_fs *fs, struct node *made)
{
	struct node *other;

	made->ino = made->core.ino;
	made->refs = 1;
	pthread_mutex_lock(&fs->nodes_lock);
	other = find_idle(fs, made->ino);
	if (other)
		other->refs++;
	else
		insert(fs, made);
	pthread_mutex_unlock(&fs->nodes_lock);
	if (!other)
		return made;
	node_drop(made);
	return other;
}

int nodes_init(struct fuse_fs *fs)
{
	pthread_mutex_init(&fs->nodes_lock, NULL);
	pthread_cond_init(&fs->nodes_cond, NULL);
	fs->nodes = calloc(NODE_BUCKETS, sizeof(fs->nodes[0]));
	return fs->nodes ? 0 : -ENOMEM;
}

void nodes_end(struct fuse_fs *fs)
{
	unsigned int i;

	for (i = 0; i < NODE_BUCKETS; i++)
		while (fs->nodes[i])
			node_put(fs, fs->nodes[i], fs->nodes[i]->refs);
	free(fs->nodes);
}

/* Into the list, if there is one; returns how many there are.  nodes_lock is held. */
static size_t list_files(struct fuse_fs *fs, uint64_t *list)
{
	struct node *node;
	unsigned int i;
	size_t nr = 0;

	for (i = 0; i < NODE_BUCKETS; i++) {
		for (node = fs->nodes[i]; node; node = node->next) {
			if (node->busy || !S_ISREG(vmem_get16(node->core.raw.mode)))
				continue;
			if (list)
				list[nr] = node->ino;
			nr++;
		}
	}
	return nr;
}

uint64_t *nodes_files(struct fuse_fs *fs, size_t *nr)
{
	uint64_t *list;

	pthread_mutex_lock(&fs->nodes_lock);
	*nr = list_files(fs, NULL);
	list = calloc(*nr + 1, sizeof(list[0]));
	if (list)
		list_files(fs, list);
	else
		*nr = 0;
	pthread_mutex_unlock(&fs->nodes_lock);
	return list;
}

/* ---- Several at once ---- */

static int by_number(const void *a, const void *b)
{
	const struct node *const *x = a, *const *y = b;
	uint64_t n = *x ? (*x)->ino : 0, m = *y ? (*y)->ino : 0;

	return (n > m) - (n < m);
}

/* In the order of their numbers, so that two do not wait for each other. */
void nodes_lock(struct node *nodes[NODES_MAX])
{
	unsigned int i;

	qsort(nodes, NODES_MAX, sizeof(nodes[0]), by_number);
	for (i = 0; i < NODES_MAX; i++)
		if (nodes[i] && (!i || nodes[i] != nodes[i - 1]))
			pthread_rwlock_wrlock(&nodes[i]->lock);
}

void nodes_unlock(struct node *nodes[NODES_MAX])
{
	unsigned int i;

	for (i = 0; i < NODES_MAX; i++)
		if (nodes[i] && (!i || nodes[i] != nodes[i - 1]))
			pthread_rwlock_unlock(&nodes[i]->lock);
}
