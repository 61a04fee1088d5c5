// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * pci.c - configuration space, and BARs that no firmware has placed
 *
 * pc and q35 answer at the ports 0xcf8/0xcfc and have been set up by SeaBIOS.
 * microvm (-M microvm,pcie=on) has ECAM only, at an address that its DSDT
 * tells and no table does, and nothing is placed.
 */
#include <linux/pci_regs.h>

#include "platform.h"

#define CONFIG_ADDRESS	0xcf8
#define CONFIG_DATA	0xcfc
#define ENABLE		0x80000000u

#define MICROVM_ECAM	0xe0000000ull	/* PCIE_ECAM_BASE of QEMU's hw/i386/microvm.h */
#define ECAM_SIZE	0x10000000ull

static volatile uint8_t *ecam;

uint32_t pci_read(int dev, unsigned int offset)
{
	if (ecam)
		return *(volatile uint32_t *)(ecam + ((unsigned int)dev << 12) + offset);
	outl(CONFIG_ADDRESS, ENABLE | (uint32_t)dev << 8 | offset);
	return inl(CONFIG_DATA);
}

void pci_write(int dev, unsigned int offset, uint32_t value)
{
	if (ecam) {
		*(volatile uint32_t *)(ecam + ((unsigned int)dev << 12) + offset) = value;
		return;
	}
	outl(CONFIG_ADDRESS, ENABLE | (uint32_t)dev << 8 | offset);
	outl(CONFIG_DATA, value);
}

int pci_find(uint32_t vendor_and_device)
{
	int dev;

	outl(CONFIG_ADDRESS, ENABLE);
	if (inl(CONFIG_ADDRESS) != ENABLE)
		ecam = map_mmio(MICROVM_ECAM, ECAM_SIZE);
	if (pci_read(0, 0) == ~0u)
		return -1;
	for (dev = 0; dev < 256 << 8; dev++) {
		if (pci_read(dev, 0) == vendor_and_device)
			return dev;
		/* Function 0 absent, or the only one: next device. */
		if (dev % 8 == 0 && !(pci_read(dev, 12) >> 16 & 0x80))
			dev += 7;
	}
	return -1;
}

/*
 * Place a 64-bit BAR in the topmost quarter of the physical addresses: QEMU
 * decodes them as PCI there on microvm, and on pc and q35 whatever no RAM uses.
 */
static uint64_t place(int dev, unsigned int reg)
{
	static uint64_t next;
	uint64_t size, address;

	pci_write(dev, reg, ~0u);
	pci_write(dev, reg + 4, ~0u);
	size = -(((uint64_t)pci_read(dev, reg + 4) << 32 | pci_read(dev, reg)) & PCI_BASE_ADDRESS_MEM_MASK);
	if (!next)
		next = 3ull << (cpu.phys_bits - 2);
	address = ALIGN_UP(next, size);
	next = address + size;
	pci_write(dev, reg, (uint32_t)address);
	pci_write(dev, reg + 4, (uint32_t)(address >> 32));
	return address;
}

uint64_t pci_bar_address(int dev, unsigned int bar)
{
	unsigned int reg = PCI_BASE_ADDRESS_0 + 4 * bar;
	uint32_t low = pci_read(dev, reg);
	uint32_t command = pci_read(dev, PCI_COMMAND);
	uint64_t address = low & PCI_BASE_ADDRESS_MEM_MASK;

	if (low & PCI_BASE_ADDRESS_MEM_TYPE_64)
		address |= (uint64_t)pci_read(dev, reg + 4) << 32;
	if (!address) {
		if (!(low & PCI_BASE_ADDRESS_MEM_TYPE_64))
			fatal("PCI: BAR %u was not placed by the firmware", bar);
		pci_write(dev, PCI_COMMAND, command & ~(uint32_t)PCI_COMMAND_MEMORY);
		address = place(dev, reg);
	}
	pci_write(dev, PCI_COMMAND, (command & 0xffff) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	return address;
}
