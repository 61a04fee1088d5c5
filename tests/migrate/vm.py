# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""QEMUs for the migration tests: start, talk by QMP, migrate, end."""

import atexit
import json
import os
import signal
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SO = os.path.join(TOP, "build", "vmemstore.so")

# Generous: a test machine may be busy, and nothing here waits in vain often.
PATIENCE = 400


class Failed(Exception):
    """What the test shows as the reason."""


def wait_for(what, condition, patience=PATIENCE):
    """Wait until condition() is true, and return what it gave."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {patience} s")
        time.sleep(0.05)


class Qemu:
    """One QEMU process.  Its files are in `folder` and start with `name`."""

    def __init__(self, folder, name, arguments, prefix=()):
        self.qmp_path = os.path.join(folder, name + ".qmp")
        self.migration_path = os.path.join(folder, name + ".migration")
        self.control_path = os.path.join(folder, name + ".control")
        self.log_path = os.path.join(folder, name + ".log")
        arguments = [a.replace("@CONTROL@", self.control_path) for a in arguments]
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [*prefix, *arguments, "-qmp", f"unix:{self.qmp_path},server=on,wait=off"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        atexit.register(self.process.kill)      # unless it has ended
        self.stream = None
        self.control = None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def running(self):
        return self.process.poll() is None

    def connect(self):
        def try_it():
            if not self.running():
                raise Failed("QEMU ended: " + self.log())
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENCE)
            try:
                connection.connect(self.qmp_path)
            except OSError:
                connection.close()
                return None
            return connection
        self.stream = wait_for("QEMU's monitor", try_it).makefile("rw", encoding="utf-8")
        try:
            self.stream.readline()
        except OSError as error:
            raise Failed(f"QEMU ended: {error}: {self.log()}") from error
        self.command("qmp_capabilities")
        return self

    def command(self, name, **arguments):
        """Run a QMP command; its error ends the test."""
        reply = self.ask(name, **arguments)
        if "error" in reply:
            raise Failed(f"{name}: {reply['error']['desc']}")
        return reply["return"]

    def ask(self, name, **arguments):
        arguments = {key.replace("_", "-"): value for key, value in arguments.items()}
        try:
            self.stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
            self.stream.flush()
            while True:
                line = self.stream.readline()
                if not line:
                    raise Failed(f"{name}: QEMU ended: " + self.log())
                reply = json.loads(line)
                # QEMU's greeting may come again when its two threads meet a new connection.
                if "event" not in reply and "QMP" not in reply:
                    return reply
        except OSError as error:
            raise Failed(f"{name}: {error}: {self.log()}") from error

    def hmp(self, text):
        return self.command("human-monitor-command", command_line=text)

    def state(self):
        return self.command("query-status")["status"]

    def counter(self, name):
        return self.command("qom-get", path="/machine/peripheral/v", property=name)

    def wait_state(self, *states):
        return wait_for(f"state {states}", lambda: self.state() in states)

    def capability(self, name):
        self.command("migrate-set-capabilities",
                     capabilities=[{"capability": name, "state": True}])

    def migrate(self, uri):
        """Migrate; returns (status, reason) of the end."""
        self.command("migrate-set-parameters", max_bandwidth=1 << 40, downtime_limit=2000)
        self.command("migrate", uri=uri)

        def ended():
            info = self.command("query-migrate")
            return info if info.get("status") in ("completed", "failed", "cancelled") else None
        info = wait_for("the migration", ended)
        return info["status"], info.get("error-desc", "")

    def tell_guest(self, text):
        """Send a line to the guest's control port; it stays open for the guest to read."""
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(self.control_path)
        self.control.sendall(text.encode() + b"\n")

    def end(self):
        """As a user would; returns the exit status."""
        if self.running():
            try:
                self.ask("quit")
            except (Failed, AttributeError):
                self.kill()
        return self.process.wait(PATIENCE)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Tap:
    """Counts and prints results."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def result(self, good, text, why=""):
        self.count += 1
        if not good:
            self.failed += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {text}", flush=True)
        if not good:
            for line in str(why).splitlines():
                print("# " + line, flush=True)

    def check(self, text, function, *arguments):
        """A test is a function that raises Failed."""
        try:
            function(*arguments)
        except (Failed, AssertionError, OSError, subprocess.SubprocessError) as error:
            self.result(False, text, f"{type(error).__name__}: {error}")
        else:
            self.result(True, text)

    def end(self):
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0
