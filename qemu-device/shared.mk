# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# Files of the device that the host tools link, too; all in hostfile/.
SHARED	:= generation instance lock notes
