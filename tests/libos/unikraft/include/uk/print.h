/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* print.h - of Unikraft (lib/ukdebug/include/uk/print.h) */
#ifndef MOCK_PRINT_H
#define MOCK_PRINT_H

void uk_mock_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define uk_pr_warn(fmt, ...) uk_mock_print(fmt, ##__VA_ARGS__)

#endif
