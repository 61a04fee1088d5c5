// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * watch.c - QEMU TCG plugin: what the guest executed between marks (mark.h)
 *
 * At each mark it writes one line
 *
 *	mark begin|end ID insns=N writeback=N port=N hypercall=N
 *
 * with counts since the start: guest instructions; cache-line write-backs and
 * flushes (clwb, clflush, clflushopt, wbinvd); port accesses (in, out, ins,
 * outs); instructions that leave the guest under a hypervisor (cpuid, vmcall,
 * vmmcall).  MMIO needs no counting here: QEMU's own trace events
 * memory_region_ops_* tell it, in the same log, by device.
 *
 * The lines go to the file named by marks=FILE (appended), else to QEMU's log
 * (-d plugin).  The counts are exact for one vCPU only.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "qemu-plugin.h"
#include "mark.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

enum { WRITEBACK, PORT, HYPERCALL, CLASSES, NONE = CLASSES };

static uint64_t insns, executed[CLASSES];
static int marks = -1;

/* ---- Classes of instructions ---- */

/* Skip the legacy and REX prefixes; *operand16 tells of a 66. */
static size_t skip_prefixes(const uint8_t *p, size_t len, bool *operand16)
{
	size_t i = 0;

	*operand16 = false;
	while (i < len && (memchr("\x66\xf2\xf3\x2e\x36\x3e\x26\x64\x65\x67\xf0", p[i], 11) ||
			   (p[i] & 0xf0) == 0x40)) {
		*operand16 |= p[i] == 0x66;
		i++;
	}
	return i;
}

/* Two-byte opcodes, behind the 0f. */
static int classify_0f(const uint8_t *p, size_t len, bool operand16)
{
	unsigned int reg = len > 1 ? p[1] >> 3 & 7 : 0;
	bool memory = len > 1 && p[1] < 0xc0;

	switch (p[0]) {
	case 0x08:				/* invd */
	case 0x09:				/* wbinvd */
		return WRITEBACK;
	case 0xae:				/* /7 clflush(opt), 66 /6 clwb */
		return memory && (reg == 7 || (reg == 6 && operand16)) ? WRITEBACK : NONE;
	case 0xa2:				/* cpuid */
		return HYPERCALL;
	case 0x01:				/* c1 vmcall, d9 vmmcall */
		return len > 1 && (p[1] == 0xc1 || p[1] == 0xd9) ? HYPERCALL : NONE;
	default:
		return NONE;
	}
}

static int classify(const uint8_t *p, size_t len)
{
	bool operand16;
	size_t at = skip_prefixes(p, len, &operand16);

	if (at >= len)
		return NONE;
	if (p[at] == 0x0f && at + 1 < len)
		return classify_0f(p + at + 1, len - at - 1, operand16);
	if ((p[at] >= 0xe4 && p[at] <= 0xe7) || (p[at] >= 0xec && p[at] <= 0xef) ||
	    (p[at] >= 0x6c && p[at] <= 0x6f))
		return PORT;
	return NONE;
}

/* ---- Marks ---- */

static void mark_reached(unsigned int vcpu, void *what)
{
	unsigned int code = (unsigned int)(uintptr_t)what;
	char line[160];
	int len;

	(void)vcpu;
	len = snprintf(line, sizeof(line), "mark %s %u insns=%" PRIu64 " writeback=%" PRIu64
		       " port=%" PRIu64 " hypercall=%" PRIu64 "\n",
		       (code & 0xff) == MARK_BEGIN ? "begin" : "end", code >> 8, insns,
		       executed[WRITEBACK], executed[PORT], executed[HYPERCALL]);
	if (marks < 0)
		qemu_plugin_outs(line);
	else if (write(marks, line, (size_t)len) != len)
		perror("watch: cannot write a mark");
}

static bool is_mark(const uint8_t *p, size_t len, unsigned int *code)
{
	uint32_t displacement;

	if (len != 7 || memcmp(p, "\x0f\x1f\x80", 3))
		return false;
	memcpy(&displacement, p + 3, sizeof(displacement));
	*code = displacement & 0xffff;
	return (displacement & 0xffff0000u) == MARK_MAGIC;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t nr = qemu_plugin_tb_n_insns(tb), i;

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &insns, nr);
	for (i = 0; i < nr; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *bytes = qemu_plugin_insn_data(insn);
		size_t len = qemu_plugin_insn_size(insn);
		int class = classify(bytes, len);
		unsigned int code;

		if (class != NONE)
			qemu_plugin_register_vcpu_insn_exec_inline(
				insn, QEMU_PLUGIN_INLINE_ADD_U64, &executed[class], 1);
		else if (is_mark(bytes, len, &code))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_reached,
							       QEMU_PLUGIN_CB_NO_REGS,
							       (void *)(uintptr_t)code);
	}
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info,
					   int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		if (strncmp(argv[i], "marks=", 6)) {
			fprintf(stderr, "watch: unknown option %s: use marks=FILE\n", argv[i]);
			return -1;
		}
		marks = open(argv[i] + 6, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (marks < 0) {
			perror(argv[i] + 6);
			return -1;
		}
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
