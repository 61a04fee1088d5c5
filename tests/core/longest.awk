# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# Fails when a function has more than 100 lines, and says how long the longest is.
FNR == 1 { start = 0 }
/^\{/ { start = FNR; name = prev }
/^[a-z].*\(/ { prev = $0 }
/^\}/ && start {
	n = FNR - start + 1
	if (n > max) { max = n; where = FILENAME ": " name }
	if (n > 100) { print FILENAME ":" start ": " n " lines: " name; bad = 1 }
	start = 0
}
END { print "longest function: " max " lines (" where ")"; exit bad }
