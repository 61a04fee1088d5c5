/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * miniqtest.c - a small client of the qtest protocol (see miniqtest.h)
 *
 * The protocol: docs/devel/testing/qtest.rst and softmmu/qtest.c of QEMU; one
 * line per command, one line "OK ..." or "FAIL ..." per answer.
 */
#include <glib.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miniqtest.h"

struct QTestState {
    pid_t pid;
    FILE *to;
    FILE *from;
    /* QMP, one JSON object per line.  Two streams: one that has read ahead cannot write. */
    FILE *monitor;
    FILE *commands;
    GString *events;    /* lines that came before an answer */
    char *line;         /* the last answer */
    size_t line_size;
};

static char *command_line(const char *args, int monitor)
{
    const char *qemu = getenv("QTEST_QEMU_BINARY");
    const char *plugin = getenv("QTEST_PLUGIN");

    g_assert(qemu);
    /* Stopped CPUs: the test is the only one that touches the devices. */
    return g_strdup_printf("exec %s %s%s -S -qtest stdio -qtest-log none "
                           "-chardev socket,id=qmp,fd=%d "
                           "-mon chardev=qmp,mode=control "
                           "-display none %s", qemu, plugin ? "-plugin " : "",
                           plugin ? plugin : "", monitor, args);
}

/* ---- the monitor ---- */

static void monitor_line(QTestState *s)
{
    if (getline(&s->line, &s->line_size, s->monitor) < 0) {
        g_error("QEMU ended in the middle of the test");
    }
}

/* The next line that is an answer; events in between are kept. */
static const char *monitor_answer(QTestState *s)
{
    for (;;) {
        monitor_line(s);
        if (g_str_has_prefix(s->line, "{\"return\"") ||
            g_str_has_prefix(s->line, "{\"error\"")) {
            return s->line;
        }
        g_string_append(s->events, s->line);
    }
}

static const char *monitor_command(QTestState *s, const char *json)
{
    fprintf(s->commands, "%s\n", json);
    g_assert(fflush(s->commands) == 0);
    return monitor_answer(s);
}

QTestState *qtest_init(const char *args)
{
    QTestState *s = g_new0(QTestState, 1);
    g_autofree char *command = NULL;
    int in[2], out[2], qmp[2];

    g_assert(pipe(in) == 0 && pipe(out) == 0);
    g_assert(socketpair(AF_UNIX, SOCK_STREAM, 0, qmp) == 0);
    command = command_line(args, qmp[1]);
    s->pid = fork();
    g_assert(s->pid >= 0);
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]);
        close(in[1]);
        close(out[0]);
        close(out[1]);
        close(qmp[0]);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    close(qmp[1]);
    s->to = fdopen(in[1], "w");
    s->from = fdopen(out[0], "r");
    s->monitor = fdopen(qmp[0], "r");
    s->commands = fdopen(dup(qmp[0]), "w");
    s->events = g_string_new(NULL);
    g_assert(s->to && s->from && s->monitor && s->commands);
    /* Before that there are no events. */
    monitor_command(s, "{\"execute\": \"qmp_capabilities\"}");
    return s;
}

static int end_by_signal(QTestState *s, int signal)
{
    int status;

    kill(s->pid, signal);
    g_assert(waitpid(s->pid, &status, 0) == s->pid);
    fclose(s->to);
    fclose(s->from);
    fclose(s->monitor);
    fclose(s->commands);
    g_string_free(s->events, TRUE);
    free(s->line);
    g_free(s);
    return status;
}

void qtest_quit(QTestState *s)
{
    int status = end_by_signal(s, SIGTERM);

    /* QEMU ends in order on SIGTERM; anything else is a crash. */
    g_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void qtest_kill(QTestState *s)
{
    end_by_signal(s, SIGKILL);
}

static void G_GNUC_PRINTF(2, 3) send_command(QTestState *s, const char *format,
                                             ...)
{
    va_list ap;

    va_start(ap, format);
    vfprintf(s->to, format, ap);
    va_end(ap);
    fputc('\n', s->to);
}

/* The text after "OK"; interrupt messages in between are skipped. */
static const char *answer(QTestState *s)
{
    g_assert(fflush(s->to) == 0);
    for (;;) {
        if (getline(&s->line, &s->line_size, s->from) < 0) {
            g_error("QEMU ended in the middle of the test");
        }
        if (g_str_has_prefix(s->line, "IRQ ")) {
            continue;
        }
        if (!g_str_has_prefix(s->line, "OK")) {
            g_error("QEMU answered: %s", s->line);
        }
        return s->line + 2;
    }
}

static uint64_t ask_number(QTestState *s)
{
    return g_ascii_strtoull(answer(s), NULL, 0);
}

void qtest_outl(QTestState *s, uint16_t addr, uint32_t value)
{
    send_command(s, "outl 0x%x 0x%x", addr, value);
    answer(s);
}

uint32_t qtest_inl(QTestState *s, uint16_t addr)
{
    send_command(s, "inl 0x%x", addr);
    return ask_number(s);
}

#define DEFINE_ACCESS(letter, type)                                         \
type qtest_read##letter(QTestState *s, uint64_t addr)                       \
{                                                                           \
    send_command(s, "read" #letter " 0x%" PRIx64, addr);                    \
    return ask_number(s);                                                   \
}                                                                           \
void qtest_write##letter(QTestState *s, uint64_t addr, type value)          \
{                                                                           \
    send_command(s, "write" #letter " 0x%" PRIx64 " 0x%" PRIx64, addr,      \
                 (uint64_t)value);                                          \
    answer(s);                                                              \
}

DEFINE_ACCESS(b, uint8_t)
DEFINE_ACCESS(w, uint16_t)
DEFINE_ACCESS(l, uint32_t)
DEFINE_ACCESS(q, uint64_t)

void qtest_memread(QTestState *s, uint64_t addr, void *data, size_t size)
{
    uint8_t *bytes = data;
    const char *hex;

    if (size == 0) {
        return;
    }
    send_command(s, "read 0x%" PRIx64 " 0x%zx", addr, size);
    hex = strstr(answer(s), "0x");
    g_assert(hex && strlen(hex) >= 2 + 2 * size);
    hex += 2;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = g_ascii_xdigit_value(hex[2 * i]) << 4 |
                   g_ascii_xdigit_value(hex[2 * i + 1]);
    }
}

void qtest_memwrite(QTestState *s, uint64_t addr, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    if (size == 0) {
        return;
    }
    fprintf(s->to, "write 0x%" PRIx64 " 0x%zx 0x", addr, size);
    for (size_t i = 0; i < size; i++) {
        fprintf(s->to, "%02x", bytes[i]);
    }
    fputc('\n', s->to);
    answer(s);
}

void qtest_qmp_eventwait(QTestState *s, const char *event)
{
    g_autofree char *wanted = g_strdup_printf("\"event\": \"%s\"", event);

    if (strstr(s->events->str, wanted)) {
        return;
    }
    do {
        monitor_line(s);
    } while (!strstr(s->line, wanted));
}

char *qtest_hmp(QTestState *s, const char *format, ...)
{
    const char *start = "{\"return\": \"", *answer, *end;
    g_autofree char *command = NULL;
    g_autofree char *json = NULL;
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, format);
    command = g_strdup_vprintf(format, ap);
    va_end(ap);
    json = g_strdup_printf("{\"execute\": \"human-monitor-command\", "
                           "\"arguments\": {\"command-line\": \"%s\"}}",
                           command);
    answer = monitor_command(s, json);
    g_assert(g_str_has_prefix(answer, start));
    end = strrchr(answer, '"');
    text = g_strndup(answer + strlen(start), end - answer - strlen(start));
    /* The escapes of JSON that occur are those of C. */
    return g_strcompress(text);
}
