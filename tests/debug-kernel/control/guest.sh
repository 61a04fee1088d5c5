#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# guest.sh - commit the fault $WHAT
insmod /vmemstore_control.ko what="$WHAT"
