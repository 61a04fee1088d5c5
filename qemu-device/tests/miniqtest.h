/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * miniqtest.h - the few functions of QEMU's libqtest that vmemstore-test.c uses
 *
 * Same names and meaning as tests/qtest/libqtest.h in a QEMU tree, so that one
 * test source runs there and against a stock binary, which has the qtest
 * protocol (-qtest) but not the library.
 */
#ifndef MINIQTEST_H
#define MINIQTEST_H

#include <stddef.h>
#include <stdint.h>

typedef struct QTestState QTestState;

/* Start $QTEST_QEMU_BINARY with @args and, when set, $QTEST_PLUGIN loaded. */
QTestState *qtest_init(const char *args);
/* End it; the test fails when it ended by a signal of its own. */
void qtest_quit(QTestState *s);
/* End it by SIGKILL. */
void qtest_kill(QTestState *s);

/* Run a command of the human monitor; returns its output, to be freed. */
char *qtest_hmp(QTestState *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Wait for a QMP event; one that has come before a command's answer counts. */
void qtest_qmp_eventwait(QTestState *s, const char *event);

void qtest_outl(QTestState *s, uint16_t addr, uint32_t value);
uint32_t qtest_inl(QTestState *s, uint16_t addr);

uint8_t qtest_readb(QTestState *s, uint64_t addr);
uint16_t qtest_readw(QTestState *s, uint64_t addr);
uint32_t qtest_readl(QTestState *s, uint64_t addr);
uint64_t qtest_readq(QTestState *s, uint64_t addr);
void qtest_writeb(QTestState *s, uint64_t addr, uint8_t value);
void qtest_writew(QTestState *s, uint64_t addr, uint16_t value);
void qtest_writel(QTestState *s, uint64_t addr, uint32_t value);
void qtest_writeq(QTestState *s, uint64_t addr, uint64_t value);

void qtest_memread(QTestState *s, uint64_t addr, void *data, size_t size);
void qtest_memwrite(QTestState *s, uint64_t addr, const void *data,
                    size_t size);

#endif /* MINIQTEST_H */
