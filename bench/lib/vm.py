# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""The guest of the bench: starts it, sends it commands, ends it."""

import os
import shutil
import socket
import subprocess
import tempfile
import time

from . import systems
from .systems import BenchError, TOP

RUN_VM = os.path.join(TOP, "tests/vm/run-vm")
AGENT = os.path.join(TOP, "bench/agent.sh")
OPLOOP = os.path.join(TOP, "build/bench/oploop")
TBCOUNT = os.path.join(TOP, "build/bench/tbcount.so")
MEMORY = 1024
TIMEOUT = 3600


def shared_memory_folder():
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Guest:
    """One VM with all the systems attached and mounted."""

    def __init__(self, chosen, folder, oploop=False, count_instructions=False):
        self.systems = chosen
        self.folder = folder
        self.oploop = oploop or count_instructions
        self.count_instructions = count_instructions
        self.daemon = self.runner = self.channel = None
        # Short, because a socket's path may have 107 bytes; and not on the disk
        # under test, because QEMU stores into the table of counters all the time.
        self.run_folder = tempfile.mkdtemp(prefix="bench.", dir=shared_memory_folder())
        self.table = os.path.join(self.run_folder, "blocks")

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        if any(s.device == "virtiofs" for s in self.systems):
            self.start_virtiofsd()
        self.pidfile = os.path.join(self.run_folder, "pid")
        self.log = os.path.join(TOP, "build/bench/guest.log")
        command = [RUN_VM, "--mem", str(MEMORY), "--timeout", str(TIMEOUT), "--with", "fio",
                   "--log", self.log, "--pidfile", self.pidfile,
                   "--modules", systems.modules(self.systems), AGENT, "--"]
        if self.oploop:
            command[1:1] = ["--add", f"{OPLOOP}:/oploop"]
        self.messages = open(os.path.join(self.run_folder, "messages"), "w+", encoding="utf-8")
        self.runner = subprocess.Popen(command + self.qemu_arguments(),
                                       stdout=self.messages, stderr=self.messages)
        self.connect()
        self.command("mkdir -p /b")
        if any(s.device == "nvdimm" for s in self.systems):
            self.command(systems.MAKE_NAMESPACES)
        for system in self.systems:
            self.command(systems.mount_command(system))

    def qemu_arguments(self):
        path = os.path.join(self.run_folder, "channel")
        arguments = ["-m", "slots=8,maxmem=32G", "-machine", "nvdimm=on,memory-backend=ram",
                     "-object", f"memory-backend-memfd,id=ram,share=on,size={MEMORY}M",
                     "-chardev", f"socket,id=bench,path={path},server=on,wait=off",
                     "-device", "virtserialport,bus=vm-serial.0,chardev=bench,nr=3,name=bench"]
        if any(s.device == "vmemstore" for s in self.systems):
            arguments += ["-plugin", systems.VMEMSTORE]
        if self.count_instructions:
            arguments += ["-plugin", f"{TBCOUNT},table={self.table}"]
        for system in self.systems:
            arguments += systems.device_arguments(system, self.folder, self.run_folder)
        return arguments

    def start_virtiofsd(self):
        """A container may forbid name spaces; then the sandbox is a chroot."""
        shared = next(s for s in self.systems if s.device == "virtiofs")
        path = os.path.join(self.run_folder, "virtiofsd.sock")
        for sandbox in ("namespace", "chroot"):
            self.daemon = subprocess.Popen(
                [systems.VIRTIOFSD, "-f", f"--socket-path={path}", "-o", f"sandbox={sandbox}",
                 "-o", f"source={os.path.join(self.folder, shared.name)}", "-o", "cache=auto"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(50):
                if os.path.exists(path) or self.daemon.poll() is not None:
                    break
                time.sleep(0.1)
            if self.daemon.poll() is None:
                return
        raise BenchError("virtiofsd does not start (it needs root)")

    def connect(self):
        path = os.path.join(self.run_folder, "channel")
        for _ in range(1200):
            if self.runner.poll() is not None:
                raise BenchError(f"the guest did not start: {self.runner_messages()}")
            try:
                channel = socket.socket(socket.AF_UNIX)
                channel.connect(path)
                self.channel = channel.makefile("rwb")
                return
            except OSError:
                time.sleep(0.1)
        raise BenchError("the guest did not open its channel in two minutes")

    def runner_messages(self):
        self.messages.flush()
        self.messages.seek(0)
        return self.messages.read().strip()[-2000:]

    def command(self, line, must_work=True):
        """Run a line of shell in the guest and return its output."""
        self.channel.write(line.encode() + b"\n")
        self.channel.flush()
        header = self.channel.readline().split()
        if len(header) != 2:
            raise BenchError(f"the guest died during '{line}': {self.runner_messages()} "
                             f"(console log: {self.log})")
        status, length = int(header[0]), int(header[1])
        output = self.channel.read(length).decode(errors="replace")
        if status != 0 and must_work:
            reason = self.command("dmesg | tail -n 5", must_work=False)
            raise BenchError(f"in the guest, '{line}' failed: {output.strip()}\n{reason}")
        return output

    def qemu_pid(self):
        with open(self.pidfile, encoding="ascii") as file:
            return int(file.read())

    def finish(self):
        """End in order: unmount everything and power off."""
        for system in self.systems:
            self.command(f"umount {system.mountpoint}")
        self.channel.write(b"quit\n")
        self.channel.flush()
        status = self.runner.wait(timeout=60)
        if status != 0:
            raise BenchError(f"the guest ended with status {status}: {self.runner_messages()}")

    def stop(self):
        if self.runner and self.runner.poll() is None:
            self.runner.terminate()
            self.runner.wait()
        if self.daemon and self.daemon.poll() is None:
            self.daemon.terminate()
            self.daemon.wait()
        shutil.rmtree(self.run_folder, ignore_errors=True)
