# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# What the fuzzed QEMU has: a PC with PCI hotplug, and the device.
CONFIG_I440FX=y
CONFIG_VIRTIO_PCI=y
CONFIG_VMEMSTORE=y
