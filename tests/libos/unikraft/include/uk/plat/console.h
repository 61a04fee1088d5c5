/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* console.h - of Unikraft (include/uk/plat/console.h) */
#ifndef MOCK_CONSOLE_H
#define MOCK_CONSOLE_H

int ukplat_coutk(const char *buf, unsigned int len);

#endif
