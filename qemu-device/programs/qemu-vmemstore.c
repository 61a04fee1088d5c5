/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu-vmemstore.c - QEMU with the vmemstore device: puts "-plugin vmemstore.so" in
 *
 * All other arguments go to QEMU as they are, and the process becomes QEMU, so that
 * whoever starts it (libvirt) sees one program with one process id.  It is no script:
 * what confines QEMU needs to allow no shell.
 *
 * QEMU answers "-device help" before it loads plugins.  So that the device is found
 * there, too, QEMU's monitor is asked in place of its command line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* From the folder of this program. */
#define PLUGIN "../lib/vmemstore/vmemstore.so"
#define QEMU "qemu-system-x86_64"

static const char *qemu_path(void)
{
    const char *path = getenv("VMEMSTORE_QEMU");

    return path ? path : QEMU;
}

/* Of the -plugin option: there a comma is written twice. */
static void plugin_option(char *option, size_t size)
{
    const char *path = getenv("VMEMSTORE_PLUGIN");
    char self[PATH_MAX], file[PATH_MAX + sizeof(PLUGIN)];
    size_t n = 0;

    if (!path) {
        ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

        self[len < 0 ? 0 : len] = '\0';
        snprintf(file, sizeof(file), "%s/" PLUGIN, dirname(self));
        path = file;
    }
    if (access(path, R_OK) < 0) {
        fprintf(stderr, "qemu-vmemstore: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    for (; *path && n + 3 < size; path++) {
        option[n++] = *path;
        if (*path == ',') {
            option[n++] = ',';
        }
    }
    option[n] = '\0';
}

static void run_qemu(char **argv)
{
    execvp(qemu_path(), argv);
    fprintf(stderr, "qemu-vmemstore: %s: %s\n", qemu_path(), strerror(errno));
    exit(127);
}

/* "help" or "?", for all devices or for this one. */
static bool asks_for_help(const char *option, const char *value)
{
    return (!strcmp(option, "-device") || !strcmp(option, "--device")) &&
           (!strcmp(value, "help") || !strcmp(value, "?") ||
            !strcmp(value, "vmemstore,help") || !strcmp(value, "vmemstore,?"));
}

/* What the monitor prints, but for its prompt and its echo. */
static void print_answer(FILE *in)
{
    bool greeting = true;
    char *line = NULL;
    size_t size = 0;
    ssize_t len;

    while ((len = getline(&line, &size, in)) > 0) {
        bool shown = !greeting && strncmp(line, "(qemu)", 6);

        greeting = false;
        if (shown) {
            line[strcspn(line, "\r\n")] = '\0';
            puts(line);
        }
    }
    free(line);
}

static int show_help(const char *option, const char *value)
{
    char *argv[] = { "qemu-vmemstore", "-plugin", (char *)option, "-machine", "none",
                     "-nodefaults", "-display", "none", "-monitor", "stdio", NULL };
    int to[2], from[2], status;
    FILE *answer;
    pid_t child;

    if (pipe(to) < 0 || pipe(from) < 0 || (child = fork()) < 0) {
        perror("qemu-vmemstore");
        return 1;
    }
    if (!child) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        close(to[1]);
        close(from[0]);
        run_qemu(argv);
    }
    close(to[0]);
    close(from[1]);
    dprintf(to[1], "device_add %s\nquit\n", value);
    answer = fdopen(from[0], "r");
    if (answer) {
        print_answer(answer);
    }
    return waitpid(child, &status, 0) < 0 || status ? 1 : 0;
}

int main(int argc, char **argv)
{
    static char option[2 * PATH_MAX];
    char **args = calloc(argc + 3, sizeof(*args));
    int i;

    if (!args) {
        perror("qemu-vmemstore");
        return 1;
    }
    plugin_option(option, sizeof(option));
    for (i = 1; i + 1 < argc; i++) {
        if (asks_for_help(argv[i], argv[i + 1])) {
            return show_help(option, argv[i + 1]);
        }
    }
    args[0] = argc ? argv[0] : "qemu-vmemstore";
    args[1] = "-plugin";
    args[2] = option;
    for (i = 1; i < argc; i++) {
        args[i + 2] = argv[i];
    }
    run_qemu(args);
}
