/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* config.h - what Unikraft's configuration would generate */
#ifndef MOCK_CONFIG_H
#define MOCK_CONFIG_H

#define CONFIG_PAGING 1
#define CONFIG_LIBVMEMFS 1
#define CONFIG_LIBVMEMFS_ARENA_MB 48

#endif
