/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * fsck_report.h - what fsck.vmemfs says: line by line, or all of it in the end as JSON
 */
#ifndef VMEM_FSCK_REPORT_H
#define VMEM_FSCK_REPORT_H

#include <stdarg.h>

#include "json.h"
#include "offline/check.h"

enum fsck_part { FSCK_FINDING, FSCK_REPAIR, FSCK_MESSAGE, FSCK_PARTS };

struct fsck_report {
	bool json;
	struct {
		char **line;
		size_t nr, max;
	} part[FSCK_PARTS];
};

/* What JSON has beside the lines. */
struct fsck_facts {
	const char *path, *state;
	int status;
	bool checked, kept;		/* kept: the recovery was for good */
	uint64_t problems;
	const struct vmem_mount_info *recovery;
	const struct vmem_check_result *result;
};

void fsck_line(struct fsck_report *r, enum fsck_part part, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void fsck_vline(struct fsck_report *r, enum fsck_part part, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
void fsck_json(const struct fsck_report *r, const struct fsck_facts *f);
void fsck_report_free(struct fsck_report *r);

#endif /* VMEM_FSCK_REPORT_H */
