// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* scripts.c - workloads that between them reach every operation of vmem.h */
#include "player.h"

const struct script scripts[] = {
	{
		.name = "names", .size = 4 * MiB,
		.before = "mkdir A; mkdir B; creat A/f; write A/f 0 5000; many B 13 250; mkdir Old",
		.text = "creat C; mkdir D; symlink s 20; symlink long 900; fifo p; link C A/hard; chmod C 0600;"
			"meanwhile C 0640;"
			"many B 3 249; unlink A/hard; rename C A/c; rename A/c B/c; creat x; creat y;"
			"rename x y; open #0 y; creat z; rename z y; put #0; exchange A s; exchange A s;"
			"creat w; rename-white w A/w; rename-white A/w A/c; unlink w; unlink A/w;"
			"mkdir E; rename E D; rename D A/D; rmdir A/D; rmdir Old; list B; list .;"
			"stat p; readlink s; readlink long; unlink p; unlink s; unlink long; fsync B; remount;"
			"list B; tmpfile #1; write #1 0 100; link #1 B/t; put #1; crash; list A; unlink B/t",
	}, {
		.name = "files", .size = 4 * MiB,
		.before = "creat f; write f 0 20000; creat h; holes h 12",
		.text = "write f 100 50; write f 4095 2; append f 10; append f 5000; fsync f; append f 100;"
			"fsync f; append f 300; fsync f; write f 25150 20; write f 25350 20; fsync f;"
			"write f 100000 10; truncate f 100100; truncate f 4100; append f 10; holes h 20;"
			"write h 4096 40960; race f 200000 20480; fault f 300000 9000 5000; fault f 0 100 0;"
			"map f 8192 5000; layout f 60 9; fsync f; fdatasync f; write f 8192 10; fdatasync f; touch f; fsync f;"
			"write f 9000 10; touch h; put f; fsync f; seek h; read h; stat f; write f 50 4; sync;"
			"checkpoint; truncate h 0; write f 400000 500000; truncate f 0; remount; append f 10;"
			"fsync f; append f 20; fsync f; write f 12 4; put f; sync; hostcrash; read f; append f 5;"
			"write h 0 60000; remount; write h 0 59000; put h; fsync h; hostcrash; read h; touch h; put h; fsync h; sync",
	}, {
		.name = "fragments", .size = 8 * MiB,
		.before = "creat big; holes big 400; creat g; holes g 150",
		.text = "write big 4096 4096; write big 12288 100; truncate big 400000; append big 10;"
			"write big 500000 10; truncate big 100; append big 100; sync; holes big 60;"
			"open #0 g; unlink g; tmpfile #1; write #1 0 8192; crash; creat g; holes g 120;"
			"unlink g; holes big 130; truncate big 50; link big big2; truncate big 9000; remount;"
			"truncate big 3; unlink big2",
	}, {
		.name = "space", .size = 4 * MiB,
		.before = "creat keep; write keep 0 100000",
		.text = "creat a; fill a 10000000; truncate a 0; fill a 3000000; truncate a 1000; creat c;"
			"holes c 100; sync; truncate c 0; write c 0 200000; fsync c; unlink a; sync;"
			"checkpoint; truncate c 10; write c 100 200; write keep 50 5000; mkdir d; symlink d/l 1000; sync",
	}, {
		.name = "log", .size = 4 * MiB, .log_blocks = 64,
		.before = "creat f; write f 0 5000",
		.text = "spin f 700; mkdir d; creat d/x; append d/x 3000; fsync d/x; append d/x 100;"
			"fsync d/x; append d/x 50; spin f 600; crash; spin f 300; ro; list d; read f; rw; chmod f 0640;"
			"sync; hostcrash; churn f 9000 70; creat i; churn i 0 5; creat j; churn j 50 3; churn f 10500 2; sync; hostcrash; read f; tmpfile #2; write #2 0 5000;"
			"spin f 200; link #2 d/t; put #2; write d/t 5 5; put d/t; checkpoint; spin f 500; read d/t",
	}, {
		/* Room is asked for by chunks of 2 MiB, and again after each mount and each discard. */
		.name = "thin", .size = 6 * MiB, .thin = true,
		.before = "trim; creat f; write f 0 70000; creat big; write big 0 400000; creat g; holes g 20",
		.text = "discard 1; write f 5000 9000; append f 30000; append f 100; fsync f; holes g 40; mkdir d;"
			"creat d/x; append d/x 3000; fsync d/x; append d/x 100; truncate f 500000; map f 300000 5000;"
			"layout f 90 20; unlink big; sync; checkpoint; checkpoint; creat h; write h 0 30000; trim;"
			"write h 30000 90000; truncate h 5000; write h 9000 100; sync; trim; mkdir e; crash; discard 1;"
			"append d/x 20; fsync d/x; append d/x 30; fsync d/x; hostcrash; discard 1; append f 10; sync; unlink g;"
			"sync; trim; symlink s 900; fill f 600000; trim; truncate f 100; sync; checkpoint; trim;"
			"write h 100 9000; remount; write h 5000 60; falloc f 0 0 600000; write f 100000 5000;"
			"falloc f 2 0 400000; sync; checkpoint; trim; falloc f 0 0 500000",
	}, {
		.name = "growth", .size = 6 * MiB, .fs_size = 4 * MiB,
		.before = "creat f; write f 0 70000; mkdir A",
		.text = "append f 10; fsync f; append f 20; grow; append f 5000; fsync f; write f 3 9; mkdir B;"
			"creat B/x; crash; append B/x 10; sync; hostcrash; read f",
	}, {
		.name = "thin growth", .size = 6 * MiB, .fs_size = 4 * MiB, .thin = true,
		.before = "trim; creat f; write f 0 70000",
		.text = "grow; append f 5000; fsync f; crash; append f 10; trim; sync",
	}, {
		.name = "ahead", .size = 4 * MiB,
		.before = "creat f; write f 0 20000; creat h; holes h 12",
		.text = "falloc f 0 16384 30000; write f 20000 5000; fsync f; append f 100; fsync f; falloc f 1 60000 20000;"
			"append f 40000; falloc f 2 100 9000; map f 4096 3000; falloc f 3 0 8192; write f 100 10; fsync f;"
			"falloc f 4 4096 8192; falloc f 5 0 4096; sync; falloc h 2 0 60000; holes h 20; falloc h 3 4096 120000;"
			"holes h 12; crash; falloc h 0 0 60000; map h 9000 5000; falloc f 3 5 50; remount; falloc h 2 10000 20000;"
			"hostcrash; falloc f 2 0 100000; checkpoint; falloc f 0 0 900000; truncate f 3; sync; checkpoint",
	}, {
		.name = "attributes", .size = 4 * MiB,
		.before = "mkdir A; creat f; write f 0 20000; symlink s 20",
		.text = "setxattr f 30; setxattr f 700; setxattr f 9000; setxattr f 60000; setxattr A 100; setxattr s 40;"
			"chmod f 0640; chflags f 0x10; holes f 8; setxattr f 20; labelled A/l; setxattr A/l 3000; unsetxattr f; fsync f; crash;"
			"setxattr f 5000; fsync f; setxattr A 2000; labelled m; sync; hostcrash; setxattr f 10; unlink A/l;"
			"setxattr A 30; unsetxattr A; sync; setxattr f 12000; open #0 f; unlink f; put #0; remount; setxattr m 40000;"
			"unlink m; sync; hostcrash; setxattr s 9",
	},
};
const unsigned int nr_scripts = sizeof(scripts) / sizeof(scripts[0]);
