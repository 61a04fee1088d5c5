/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * boot.S - from the PVH entry to C, and the trap stubs
 *
 * QEMU's -kernel finds the 32-bit entry by the note (xen docs/misc/pvh.pandoc):
 * protected mode, no paging, flat segments, ebx = struct hvm_start_info.
 * Here paging is set up for the first 4 GiB, at 0 (to get from here to there),
 * at DIRECT_BASE, and the first GiB once more at KERNEL_BASE, where the image
 * is linked.  memory.c takes the first away and refines the second.
 */
#include "layout.h"

#define PHYS(symbol) ((symbol) - KERNEL_BASE)

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, 18			/* name and value sizes, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad PHYS(pvh_entry)

	.section .text.boot, "ax"
	.code32
	.globl pvh_entry
pvh_entry:
	cli
	cld
	mov $PHYS(boot_stack_top), %esp
	mov %ebx, PHYS(boot_start_info)
	rdtsc
	mov %eax, PHYS(boot_tsc)
	mov %edx, PHYS(boot_tsc) + 4

	/* 4 GiB in 2 MiB pages: present, writable, large. */
	mov $PHYS(boot_pd), %edi
	mov $0x83, %eax
1:	mov %eax, (%edi)
	add $8, %edi
	add $0x200000, %eax
	jnc 1b
	mov $PHYS(boot_pdpt), %edi
	mov $PHYS(boot_pd) + 7, %eax
	mov $4, %ecx
2:	mov %eax, (%edi)
	add $8, %edi
	add $0x1000, %eax
	loop 2b
	mov $PHYS(boot_pd), %esi	/* the image's GiB, in a table of its own */
	mov $PHYS(boot_pd_high), %edi
	mov $1024, %ecx
	rep movsl
	movl $PHYS(boot_pd_high) + 3, PHYS(boot_pdpt_high) + 510 * 8
	movl $PHYS(boot_pdpt) + 3, PHYS(boot_pml4)
	movl $PHYS(boot_pdpt) + 7, PHYS(boot_pml4) + 256 * 8
	movl $PHYS(boot_pdpt_high) + 3, PHYS(boot_pml4) + 511 * 8
	mov $PHYS(boot_pml4), %eax
	mov %eax, %cr3

	mov $0x620, %eax		/* CR4: PAE, OSFXSR, OSXMMEXCPT */
	mov %eax, %cr4
	mov $0xc0000080, %ecx		/* EFER: SCE, LME */
	rdmsr
	or $0x101, %eax
	wrmsr
	mov $0x80010033, %eax		/* CR0: PG, WP, NE, ET, MP, PE */
	mov %eax, %cr0
	lgdt PHYS(gdt_pointer)
	ljmp $CODE_SELECTOR, $PHYS(long_mode)

	.code64
long_mode:
	mov $DATA_SELECTOR, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	movabs $high, %rax
	jmp *%rax
high:
	mov $gdt_pointer_high, %rax
	lgdt (%rax)
	mov $boot_stack_top, %rsp
	fninit				/* after a reset x87 has another control word */
	xor %ebp, %ebp			/* ends the backtrace */
	call platform_start
	ud2

	.section .data
	.balign 16
	.globl gdt
gdt:	.quad 0
	.quad 0x00af9b000000ffff	/* 64-bit code, ring 0 */
	.quad 0x00cf93000000ffff	/* data; must follow the code for SYSCALL */
	.quad 0, 0			/* TSS, filled in by trap.c */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long PHYS(gdt)
gdt_pointer_high:
	.word gdt_end - gdt - 1
	.quad gdt
	.balign 8
	.globl boot_start_info, boot_tsc
boot_start_info: .quad 0
boot_tsc: .quad 0

	.section .bss
	.balign 4096
	.globl boot_pml4, boot_pd, boot_pd_high, boot_stack_guard
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pdpt_high: .skip 4096
boot_pd_high: .skip 4096
boot_pd: .skip 4 * 4096
boot_stack_guard: .skip 4096
	.skip BOOT_STACK_SIZE
boot_stack_top:

/*
 * Trap stubs: make every frame look alike (struct trap_frame), call C, and
 * return if it does.  Vectors 8, 10-14, 17, 21, 29 and 30 push an error code.
 */
	.text
	.balign 16
	.globl trap_stubs
trap_stubs:
	.set vector, 0
	.rept 32
	.balign 16
	.if (0x60227d00 >> vector) & 1
	.else
	push $0
	.endif
	push $vector
	jmp trap_common
	.set vector, vector + 1
	.endr

trap_common:
	.irp reg, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	push %\reg
	.endr
	cld
	mov %rsp, %rdi
	call trap
	.irp reg, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
	pop %\reg
	.endr
	add $16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
