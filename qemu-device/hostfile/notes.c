/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * notes.c - what whoever uses a file next must know of it (see notes.h)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "notes.h"

#define NAME_LEN 96

static int result(int ret)
{
    return ret < 0 ? -errno : 0;
}

/* ---- extended attributes ---- */

static const char *attr_name(char text[NAME_LEN], const char *name)
{
    snprintf(text, NAME_LEN, "user.vmemstore.%s", name);
    return text;
}

int vmemstore_attr_get(int fd, const char *name, void *data, size_t len)
{
    char text[NAME_LEN];
    ssize_t got = fgetxattr(fd, attr_name(text, name), data, len);

    return got < 0 ? -errno : got == (ssize_t)len ? 0 : -ENODATA;
}

int vmemstore_attr_set(int fd, const char *name, const void *data, size_t len)
{
    char text[NAME_LEN];

    return result(fsetxattr(fd, attr_name(text, name), data, len, 0));
}

int vmemstore_attr_remove(int fd, const char *name)
{
    char text[NAME_LEN];

    return result(fremovexattr(fd, attr_name(text, name)));
}

/* ---- the directory of this boot ---- */

static const char *run_name(char text[NAME_LEN], const uint8_t *key,
                            const char *name)
{
    size_t at = 0;

    for (int i = 0; i < VMEMSTORE_NOTE_KEY_LEN; i++) {
        at += (size_t)snprintf(text + at, NAME_LEN - at, "%02x", key[i]);
    }
    snprintf(text + at, NAME_LEN - at, ".%s", name);
    return text;
}

static int open_dir(void)
{
    int fd = open(VMEMSTORE_RUN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int vmemstore_run_get(const uint8_t key[VMEMSTORE_NOTE_KEY_LEN],
                      const char *name, void *data,
                      size_t len)
{
    char text[NAME_LEN];
    int dir = open_dir(), err = 0, fd;

    if (dir < 0) {
        return dir;
    }
    fd = openat(dir, run_name(text, key, name),
                O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        err = -errno;
    } else {
        ssize_t got = read(fd, data, len);

        err = got < 0 ? -errno : got == (ssize_t)len ? 0 : -ENODATA;
        close(fd);
    }
    close(dir);
    return err;
}

/* A new file in the place of an old one: nobody ever sees half a note. */
static int replace(int dir, const char *name, const void *data, size_t len)
{
    char fresh[NAME_LEN + 16];
    int err = 0, fd;
    ssize_t done;

    snprintf(fresh, sizeof(fresh), "%s.%d", name, (int)gettid());
    unlinkat(dir, fresh, 0);
    fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                0644);
    if (fd < 0) {
        return -errno;
    }
    /* Whatever the umask: the tools of another user read it, too. */
    fchmod(fd, 0644);
    done = write(fd, data, len);
    if (done != (ssize_t)len) {
        err = done < 0 ? -errno : -ENOSPC;
    }
    close(fd);
    if (!err) {
        err = result(renameat(dir, fresh, dir, name));
    }
    if (err) {
        unlinkat(dir, fresh, 0);
    }
    return err;
}

int vmemstore_run_set(const uint8_t key[VMEMSTORE_NOTE_KEY_LEN],
                      const char *name, const void *data,
                      size_t len)
{
    char text[NAME_LEN];
    int dir = open_dir(), err;

    if (dir == -ENOENT) {
        if (mkdir(VMEMSTORE_RUN_DIR, 0755) < 0 && errno != EEXIST) {
            return -errno;
        }
        dir = open_dir();
        if (dir >= 0) {
            fchmod(dir, 0755);
        }
    }
    if (dir < 0) {
        return dir;
    }
    err = replace(dir, run_name(text, key, name), data, len);
    close(dir);
    return err;
}

int vmemstore_run_remove(const uint8_t key[VMEMSTORE_NOTE_KEY_LEN],
                      const char *name)
{
    char text[NAME_LEN];
    int dir = open_dir(), err;

    if (dir < 0) {
        return dir == -ENOENT ? 0 : dir;
    }
    err = result(unlinkat(dir, run_name(text, key, name), 0));
    close(dir);
    return err == -ENOENT ? 0 : err;
}
