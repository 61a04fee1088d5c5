/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * entry.S - the SYSCALL instruction, executed in ring 0
 *
 * The CPU goes to LSTAR with rcx = return address and r11 = flags, on the
 * program's stack, below which the program may keep data (the red zone).  So
 * nothing is pushed before the stack is ours, and the way back is a jump:
 * SYSRET would go to ring 3.  As under Linux only rax, rcx and r11 change.
 */
	.text
	.globl syscall_entry
syscall_entry:
	mov %rsp, program_rsp
	mov $syscall_stack_top, %rsp
	push %r11
	push program_rsp
	push %rcx
	push %rbp
	mov %rsp, %rbp			/* with the return address: a frame for backtraces */
	.irp reg, rax, r9, r8, r10, rdx, rsi, rdi
	push %\reg
	.endr
	mov %rsp, %rdi			/* struct syscall_frame */
	sub $8, %rsp
	call syscall_dispatch
	add $8, %rsp
	.irp reg, rdi, rsi, rdx, r10, r8, r9
	pop %\reg
	.endr
	add $8, %rsp
	pop %rbp
	pop %rcx
	pop program_rsp
	popfq
	mov program_rsp, %rsp
	jmp *%rcx

/* void enter_program(uint64_t entry, uint64_t stack) */
	.globl enter_program
enter_program:
	mov %rsi, %rsp
	mov %rdi, %rcx
	.irp reg, eax, ebx, edx, esi, edi, ebp	/* edx: no function for atexit() */
	xor %\reg, %\reg
	.endr
	jmp *%rcx

	.section .bss
	.balign 4096
	.globl syscall_stack_guard
syscall_stack_guard: .skip 4096
	.skip 65536
syscall_stack_top:
program_rsp: .skip 16

	.section .note.GNU-stack, "", @progbits
