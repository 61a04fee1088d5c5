/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* uio.h - of vfscore, as vnode.h is */
#ifndef MOCK_UIO_H
#define MOCK_UIO_H

#include <sys/types.h>
#include <sys/uio.h>

enum uio_rw { UIO_READ, UIO_WRITE };

struct uio {
	struct iovec *uio_iov;
	int uio_iovcnt;
	off_t uio_offset;
	ssize_t uio_resid;
	enum uio_rw uio_rw;
};

int vfscore_uiomove(void *cp, int n, struct uio *uio);

#endif
