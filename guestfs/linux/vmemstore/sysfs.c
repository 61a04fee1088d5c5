// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sysfs.c - what user space can read about a store
 *
 * In /sys/bus/virtio/drivers/vmemstore/virtioN/, which is also
 * /sys/block/pmemN/device/ .
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "internal.h"

static struct vmemstore *dev_to_store(struct device *dev)
{
	return dev_to_virtio(dev)->priv;
}

static ssize_t backing_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	switch (dev_to_store(dev)->backing) {
	case VMEMSTORE_BACKING_PAGE_CACHE:
		return sysfs_emit(buf, "page-cache\n");
	case VMEMSTORE_BACKING_DAX:
		return sysfs_emit(buf, "dax\n");
	default:
		return sysfs_emit(buf, "volatile\n");
	}
}
static DEVICE_ATTR_RO(backing);

static ssize_t generation_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%*phN\n", VMEMSTORE_GENERATION_LEN,
			  dev_to_store(dev)->generation);
}
static DEVICE_ATTR_RO(generation);

/* An empty line: it has none. */
static ssize_t serial_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%.*s\n", VMEMSTORE_SERIAL_LEN,
			  dev_to_store(dev)->serial);
}
static DEVICE_ATTR_RO(serial);

static ssize_t size_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%llu\n", vmemstore_size(dev_to_store(dev)));
}
static DEVICE_ATTR_RO(size);

static ssize_t max_size_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%llu\n", dev_to_store(dev)->window);
}
static DEVICE_ATTR_RO(max_size);

static ssize_t readonly_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%d\n", dev_to_store(dev)->readonly);
}
static DEVICE_ATTR_RO(readonly);

static ssize_t cow_show(struct device *dev, struct device_attribute *attr,
			char *buf)
{
	return sysfs_emit(buf, "%d\n", dev_to_store(dev)->cow);
}
static DEVICE_ATTR_RO(cow);

static ssize_t failed_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%d\n", vmemstore_failed(dev_to_store(dev)));
}
static DEVICE_ATTR_RO(failed);

static ssize_t flushes_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%lld\n",
			  atomic64_read(&dev_to_store(dev)->flushes));
}
static DEVICE_ATTR_RO(flushes);

static ssize_t whole_flushes_show(struct device *dev,
				  struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lld\n",
			  atomic64_read(&dev_to_store(dev)->whole_flushes));
}
static DEVICE_ATTR_RO(whole_flushes);

static ssize_t commits_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%lld\n",
			  atomic64_read(&dev_to_store(dev)->commit_requests));
}
static DEVICE_ATTR_RO(commits);

static ssize_t flushed_ranges_show(struct device *dev,
				   struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lld\n",
			  atomic64_read(&dev_to_store(dev)->ranges));
}
static DEVICE_ATTR_RO(flushed_ranges);

static ssize_t thin_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%d\n", dev_to_store(dev)->thin);
}
static DEVICE_ATTR_RO(thin);

static ssize_t provisions_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lld\n",
			  atomic64_read(&dev_to_store(dev)->provisions));
}
static DEVICE_ATTR_RO(provisions);

static ssize_t discards_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%lld\n",
			  atomic64_read(&dev_to_store(dev)->discard_requests));
}
static DEVICE_ATTR_RO(discards);

static ssize_t prefetches_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lld\n",
			  atomic64_read(&dev_to_store(dev)->prefetch_requests));
}
static DEVICE_ATTR_RO(prefetches);

static ssize_t prefetches_dropped_show(struct device *dev,
				       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lld\n",
			  atomic64_read(&dev_to_store(dev)->prefetches_dropped));
}
static DEVICE_ATTR_RO(prefetches_dropped);

static ssize_t flush_errors_show(struct device *dev,
				 struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lld\n",
			  atomic64_read(&dev_to_store(dev)->errors));
}
static DEVICE_ATTR_RO(flush_errors);

static struct attribute *vmemstore_attrs[] = {
	&dev_attr_backing.attr,
	&dev_attr_generation.attr,
	&dev_attr_serial.attr,
	&dev_attr_size.attr,
	&dev_attr_max_size.attr,
	&dev_attr_readonly.attr,
	&dev_attr_cow.attr,
	&dev_attr_failed.attr,
	&dev_attr_flushes.attr,
	&dev_attr_whole_flushes.attr,
	&dev_attr_commits.attr,
	&dev_attr_flushed_ranges.attr,
	&dev_attr_flush_errors.attr,
	&dev_attr_thin.attr,
	&dev_attr_provisions.attr,
	&dev_attr_discards.attr,
	&dev_attr_prefetches.attr,
	&dev_attr_prefetches_dropped.attr,
	NULL,
};

static const struct attribute_group vmemstore_group = {
	.attrs = vmemstore_attrs,
};

const struct attribute_group *vmemstore_groups[] = {
	&vmemstore_group,
	NULL,
};
