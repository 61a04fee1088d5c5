# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# musl, where there is no libc: its headers, and those of its functions that run
# anywhere.  They need no other, no thread-local storage, no vector register
# (which a system call must leave alone) and no red zone; the rule looks at that.

MUSL	?= x86_64-linux-musl
MUSL_LIBC ?= $(firstword $(wildcard /usr/lib/$(MUSL)/libc.a /usr/$(MUSL)/lib*/libc.a))
ifeq ($(MUSL_LIBC),)
$(error musl is missing: apt-get install musl-dev)
endif
MUSL_INC := -nostdinc -isystem $(shell $(CC) -print-file-name=include) \
	   -isystem $(firstword $(wildcard /usr/include/$(MUSL) /usr/$(MUSL)/include))
MUSL_MEM := $(addsuffix .lo,memcpy memmove memset memcmp strlen strcmp strncmp strrchr memrchr)
