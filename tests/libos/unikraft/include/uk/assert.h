/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* assert.h - of Unikraft (lib/ukdebug/include/uk/assert.h) */
#ifndef MOCK_ASSERT_H
#define MOCK_ASSERT_H

void uk_mock_crash(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
#define UK_CRASH(fmt, ...) uk_mock_crash(fmt, ##__VA_ARGS__)

#endif
