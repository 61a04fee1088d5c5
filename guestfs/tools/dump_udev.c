// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* dump_udev.c - what udev wants to know of a file system, as its own blkid says it */
#include <blkid/blkid.h>
#include <stdio.h>
#include <string.h>

#include "dump.h"

/* As it can be shown, and, for names of links in /dev/disk, with \x20 for what cannot. */
static void print_strings(const char *name, const char *text)
{
	char safe[4 * VMEM_LABEL_LEN + 1], encoded[4 * VMEM_LABEL_LEN + 1];

	if (!*text || blkid_safe_string(text, safe, sizeof(safe)) ||
	    blkid_encode_string(text, encoded, sizeof(encoded)))
		return;
	printf("%s=%s\n%s_ENC=%s\n", name, safe, name, encoded);
}

int dump_udev(const struct dump *d)
{
	const struct vmem_superblock *sb = d->sb;
	const uint8_t *u = sb->uuid;
	char label[VMEM_LABEL_LEN + 1] = "", uuid[37];

	if (vmem_get32(sb->csum) != vmem_superblock_csum(d->env->crc32c, sb)) {
		tool_error("the superblock's checksum is wrong");
		return TOOL_EXIT_FAILED;
	}
	memcpy(label, sb->label, VMEM_LABEL_LEN);
	snprintf(uuid, sizeof(uuid),
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11],
		 u[12], u[13], u[14], u[15]);
	puts("ID_FS_TYPE=vmemfs\nID_FS_USAGE=filesystem");
	printf("ID_FS_VERSION=%u.%u\n", vmem_get16(sb->version_major), vmem_get16(sb->version_minor));
	print_strings("ID_FS_UUID", uuid);
	print_strings("ID_FS_LABEL", label);
	return 0;
}
