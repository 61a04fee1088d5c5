# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# The core with AddressSanitizer and UBSan, that sees its stores: one for all programs of
# tests/core, inject, crash and fuzz and for the tools of tests/tools.
#
#   make -f tests/core-san.mk	build/core-san/libcore.a
#
# Who includes it with SAN_CORE_USER=1 has $(SAN_CORE), that is made anew when it must
# be.  Suites that run side by side wait for each other there.

SAN_TOP	:= $(patsubst %/tests/,%,$(abspath $(dir $(lastword $(MAKEFILE_LIST))))/)
SAN_OUT	:= $(SAN_TOP)/build/core-san
SAN_CORE := $(SAN_OUT)/libcore.a
SAN_FLAGS := -fno-var-tracking -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

ifdef SAN_CORE_USER
.DEFAULT_GOAL := all
$(SAN_CORE): san-core
	@:
san-core:
	@mkdir -p $(SAN_OUT)
	+@flock $(SAN_OUT)/lock $(MAKE) -s -f $(SAN_TOP)/tests/core-san.mk SAN_CORE_USER=
.PHONY: san-core
else
SAN_DIR	:= $(SAN_TOP)/guestfs/core
include $(SAN_DIR)/sources.mk
SAN_OBJ	:= $(patsubst %.c,$(SAN_OUT)/%.o,$(CORE_SRCS) $(CORE_TOOL_SRCS))

$(SAN_CORE): $(SAN_OBJ)
	rm -f $@
	$(AR) rcs $@ $^
$(SAN_OUT)/%.o: $(SAN_DIR)/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -Wall -Wextra -Wconversion -Wshadow -Werror -DVMEM_RECORD -MMD -MP -I$(SAN_DIR) \
		-O1 -g $(SAN_FLAGS) -c -o $@ $<
-include $(wildcard $(SAN_OUT)/*/*.d)
endif
