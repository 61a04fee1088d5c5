# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# vmemstore: one command per habit; `make help` lists them.

MAKEFLAGS += --no-print-directory
JOBS ?= $(shell nproc)

help: ## list the targets
	@sed -n 's/^\([a-z0-9.-]*\):.*## \(.*\)/  make \1#\2/p' $(MAKEFILE_LIST) | \
		awk -F'#' '{ printf "%-22s %s\n", $$1, $$2 }'

demo: build build/tests/ackload ## install what is missing, build, run the journaling fio job in a VM, kill it, recover
	@tests/demo/run

test: build ## install what is missing, build, run every test (SUITES="core kill-host" for some)
	@+$(MAKE) -s test-programs
	@tests/run $(SUITES)

build: deps ## build the device, the modules and the tools into build/
	@tests/step "device      build/vmemstore.so" $(MAKE) -j$(JOBS) -C qemu-device
	@tests/step "modules     build/modules/" $(MAKE) -j$(JOBS) -C guestfs/linux
	@tests/step "tools       build/tools/" $(MAKE) -j$(JOBS) -C guestfs/tools

deps: ## install the Debian packages that are missing (needs root)
	@tests/deps

test-programs: build/tests/ackload unikernel-programs tools-san
	@tests/step "library     build/libos/host/" $(MAKE) -j$(JOBS) -C libos-shim
	@tests/step "tests       build/qemu-device/" $(MAKE) -j$(JOBS) -C qemu-device test-programs

# Two suites use them, at the same time.
tools-san:
	@tests/step "tools       build/tools-san/" $(MAKE) -j$(JOBS) -C guestfs/tools SAN=1

unikernel: build unikernel-programs ## build the unikernel platform, the loader, SQLite and LMDB into build/unikernel/

unikernel-programs:
	@tests/step "unikernel   build/unikernel/" $(MAKE) -j$(JOBS) -C tests/libos/unikernel

unikernel-demo: unikernel ## boot SQLite as a unikernel, insert, kill -9, boot again: all rows are there
	@tests/libos/unikernel/demo.sh

unikernel-kill: unikernel ## 200 kills and 60 power cuts of SQLite's machine
	@tests/libos/unikernel/kill.sh 200 60 $$(date +%s)

build/tests/ackload: tests/kill/ackload.c tests/kill/load.h
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -static -o $@ $<

bench: build ## measure against ext4, xfs and virtiofs on their devices (QUICK=1: 4 minutes)
	@bench/run $(if $(QUICK),--quick)

bench-fuse: build ## measure fuse.vmemfs beside fuse2fs, without a VM: 2 minutes
	@tests/deps bench/fuse-packages.txt
	@bench/fuse

bench-flush: ## measure the flush engine against whole-file fsync, without a VM: 2 minutes
	@qemu-device/bench/run

kill: build build/tests/ackload ## kill -9 a VM 100 times in each durability: nothing acknowledged may be lost: half an hour
	@tests/kill/run host 100 $$(date +%s)
	@tests/kill/run guest 100 $$(date +%s)

powercut: build ## cut the power of a simulated host 200 times (CUTS=n), and with seeded bugs: half an hour
	@tests/powercut/run $(or $(CUTS),200) $$(date +%s) all

crash: deps ## crash states of the core: the set that `make test` runs, a minute
	@tests/crash/run.sh

small-limits: deps ## the core with records of 8 KiB and tiny tables: its tests, and crash states: 10 minutes
	@SMALL=1 SECONDS=20 tests/core/run.sh
	@SMALL=1 tests/crash/run.sh

crash-long: deps ## every sequence of two operations in all domains, three on names: half an hour; resumable
	@tests/crash/long.sh

interleave: deps ## two threads over the core under every schedule: the set that `make test` runs, two minutes
	@tests/interleave/run.sh

interleave-long: deps ## every two operations with up to two preemptions, on all stores, in all domains: an hour; resumable
	@tests/interleave/long.sh

fuzz: deps ## damaged images for the core, SECONDS=60 for each harness
	@tests/fuzz/run.sh $(or $(SECONDS),60)

fuzz-long: deps ## an hour of libFuzzer for each harness, going on where the last run ended; report
	@tests/fuzz/long.sh

fuzz-device: deps ## the device in a QEMU built with ASan, under libFuzzer for SECONDS=60
	@tests/deps qemu-device/fuzz/packages.txt
	@qemu-device/fuzz/run.sh $(or $(SECONDS),60)

fuzz-device-long: deps ## an hour of CPU time of it, going on where the last run ended; report
	@tests/deps qemu-device/fuzz/packages.txt
	@qemu-device/fuzz/run.sh -l

libos: deps ## build the library for processes and unikernels, with its examples
	@tests/step "library     build/libos/" $(MAKE) -j$(JOBS) -C libos-shim
	@tests/step "unikernel   build/libos/bare/" $(MAKE) -j$(JOBS) -C libos-shim bare

libos-kill: deps ## SIGKILL programs on the library 200 times each: no acknowledged row may be lost; new random calls
	@KILLS=200 SEED=$$(date +%s) tests/libos/run.sh linux kv sqlite

migrate: build test-programs ## 20 live migrations in each direction and mode under fio with verification: a quarter of an hour
	@tests/migrate/run 40

mutants: build ## break the code in some 150 places: a test must notice each; resumable (ONLY=pattern)
	@tests/mutants/run $(ONLY)
.PHONY: mutants

coverage: deps ## lines and branches of the core that the tests reach, and those they do not
	@tests/coverage/run.sh

deb: ## Debian packages for the Debian that this runs on, into build/deb/, seen by lintian
	@tests/deps packaging/packages.txt
	@packaging/build-deb

install: deps ## build and install into $(DESTDIR)$(PREFIX), which is /usr/local
	@$(MAKE) -C qemu-device
	@$(MAKE) -j$(JOBS) -C guestfs/tools
	@$(MAKE) -j$(JOBS) -C libos-shim
	@$(MAKE) -j$(JOBS) -C libos-shim bare
	@$(MAKE) -C libos-shim/platform
	@$(MAKE) -C packaging install

uninstall: ## remove what `make install` installs there
	@$(MAKE) -C packaging uninstall

check-6.12: build ## build the modules against the backports kernel, too
	@+$(MAKE) -C guestfs/linux check-6.12

check-qemu10: build ## the device with QEMU 10.0, Debian 13's own and one built with it: half an hour; resumable
	@tests/deps tests/qemu10/packages.txt
	@tests/qemu10/run

check-root: build ## boot a Debian from vmemfs, install a package, cut the power, boot again: a quarter of an hour
	@tests/rootfs/run

check-debug-kernel: build build/tests/ackload ## guest suites on kernels with KASAN, lockdep and KCSAN, built first: hours; resumable
	@tests/deps tests/debug-kernel/packages.txt
	@tests/debug-kernel/run

lint: ## sparse on the modules, shell and C checks
	@+tests/lint

clean: ## remove what was built, keep what was downloaded
	@$(MAKE) -C qemu-device clean
	@rm -rf build/kbuild build/modules build/modules-* build/tools build/tools-san build/tools-dynamic build/deb \
		build/tests* build/core-san build/libos build/log build/demo

distclean: ## remove build/
	@rm -rf build

.PHONY: help demo test build deps test-programs tools-san unikernel unikernel-programs unikernel-demo unikernel-kill bench bench-fuse bench-flush kill powercut crash small-limits crash-long interleave interleave-long fuzz coverage fuzz-long fuzz-device fuzz-device-long migrate libos libos-kill deb install uninstall check-6.12 check-qemu10 check-root check-debug-kernel lint clean distclean
.NOTPARALLEL:
