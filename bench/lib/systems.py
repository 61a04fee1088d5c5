# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""The storage systems that are compared: how each is made, attached, mounted."""

import os
import subprocess
from dataclasses import dataclass

MIB = 1 << 20
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Another build of the device can be measured by naming it in the environment.
VMEMSTORE = os.environ.get("VMEMSTORE_SO", os.path.join(TOP, "build/vmemstore.so"))
MKFS_VMEMFS = os.path.join(TOP, "build/tools/mkfs.vmemfs")
# Where the data of an nvdimm's "fsdax" namespace begins, with struct pages in RAM.
NAMESPACE_OFFSET = 2 * MIB
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"


class BenchError(Exception):
    """Something the user has to put right; the text says what."""


@dataclass(frozen=True)
class System:
    """One row of the table."""

    name: str
    # Which failure a returned fsync survives: host, guest or none.
    domain: str
    # Device: vmemstore, virtio-pmem, nvdimm, virtio-blk, virtiofs, none.
    device: str
    fstype: str
    options: str = ""
    cache: str = ""

    @property
    def ours(self):
        return self.fstype == "vmemfs"

    @property
    def has_image(self):
        return self.device not in ("virtiofs", "none")

    @property
    def mountpoint(self):
        return f"/b/{self.name}"


SYSTEMS = [
    System("vmemfs-host", "host", "vmemstore", "vmemfs", "durability=host"),
    System("ext4-dax-virtio-pmem", "host", "virtio-pmem", "ext4", "dax"),
    System("xfs-dax-virtio-pmem", "host", "virtio-pmem", "xfs", "dax=always"),
    System("ext4-virtio-blk-writeback", "host", "virtio-blk", "ext4", "", "writeback"),
    System("virtiofs", "host", "virtiofs", "virtiofs"),
    System("vmemfs-guest", "guest", "vmemstore", "vmemfs", "durability=guest"),
    System("ext4-dax-nvdimm", "guest", "nvdimm", "ext4", "dax"),
    System("xfs-dax-nvdimm", "guest", "nvdimm", "xfs", "dax=always"),
    System("ext4-virtio-blk-unsafe", "guest", "virtio-blk", "ext4", "", "unsafe"),
    System("tmpfs", "none", "none", "tmpfs", "size=256m"),
]

MODULES = {
    "vmemstore": "vmemstore",
    "virtio-pmem": "virtio_pmem nd_pmem",
    "nvdimm": "nfit nd_pmem",
    "virtio-blk": "virtio_blk",
    "virtiofs": "virtiofs",
    "ext4": "ext4",
    "xfs": "xfs",
    "vmemfs": "vmemfs",
}


def choose(pattern):
    """Systems whose name contains one of the comma-separated words."""
    words = [word for word in (pattern or "").split(",") if word]
    chosen = [s for s in SYSTEMS if not words or any(w in s.name for w in words)]
    if not chosen:
        names = ", ".join(s.name for s in SYSTEMS)
        raise BenchError(f"no system matches '{pattern}'; there are: {names}")
    return chosen


def modules(systems):
    names = []
    for system in systems:
        for key in (system.device, system.fstype):
            names += MODULES.get(key, "").split()
    return " ".join(dict.fromkeys(names))


def label(system):
    """At most 12 characters (xfs), and found by grep in the first blocks."""
    return f"bench-{SYSTEMS.index(system):02d}"


def run_tool(*arguments):
    env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    try:
        done = subprocess.run(arguments, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError:
        raise BenchError(f"{arguments[0]} not found: see bench/packages.txt") from None
    if done.returncode != 0:
        raise BenchError(f"{' '.join(arguments)} failed: {done.stdout.strip()}")


def make_file_system(system, path):
    """No discard: it would give one system holes that another has not."""
    if system.fstype == "ext4":
        run_tool("mkfs.ext4", "-q", "-F", "-b", "4096", "-L", label(system), "-E",
                 "nodiscard,lazy_itable_init=0,lazy_journal_init=0", path)
    elif system.fstype == "xfs":
        run_tool("mkfs.xfs", "-q", "-f", "-K", "-L", label(system),
                 "-m", "reflink=0", path)
    else:
        run_tool(MKFS_VMEMFS, "-q", "-f", "-L", label(system), path)


def copy_data(source, target, offset):
    """Copy what is not a hole of one file to an offset in another."""
    size = os.path.getsize(source)
    with open(source, "rb") as file, open(target, "r+b") as image:
        position = 0
        while position < size:
            try:
                start = os.lseek(file.fileno(), position, os.SEEK_DATA)
            except OSError:
                return
            position = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            file.seek(start)
            image.seek(offset + start)
            image.write(file.read(position - start))


def make_file_system_in_namespace(system, path):
    """Inside an nvdimm, the file system starts behind the namespace's information."""
    inner = path + ".inner"
    with open(inner, "wb") as file:
        file.truncate(os.path.getsize(path) - NAMESPACE_OFFSET)
    make_file_system(system, inner)
    # Zeros in place of what an earlier file system left.
    write_zeros(path, os.path.getsize(path))
    copy_data(inner, path, NAMESPACE_OFFSET)
    os.unlink(inner)


def write_zeros(path, size):
    """Every block written, so that no system meets a hole or unwritten extent."""
    zeros = bytes(MIB)
    with open(path, "r+b" if os.path.exists(path) else "wb") as image:
        for _ in range(size // MIB):
            image.write(zeros)
        os.fsync(image.fileno())


def make_storage(system, folder, size):
    """The image or the shared folder of a system; the same for all."""
    path = os.path.join(folder, system.name)
    if system.device == "virtiofs":
        os.makedirs(path, exist_ok=True)
        return
    if not system.has_image:
        return
    if not os.path.exists(path) or os.path.getsize(path) != size:
        write_zeros(path, size)
    if system.device == "nvdimm":
        make_file_system_in_namespace(system, path)
    else:
        make_file_system(system, path)
    settle(path)
    if os.stat(path).st_blocks * 512 < size:
        raise BenchError(f"{path} has holes; the comparison would not be fair")
    with open(path, "rb") as image:
        os.posix_fadvise(image.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def settle(path):
    """Write back what a system left dirty on the host."""
    if os.path.isdir(path):
        for name in os.listdir(path):
            settle(os.path.join(path, name))
    elif os.path.exists(path):
        with open(path, "rb") as file:
            os.fsync(file.fileno())


def device_arguments(system, folder, run_folder):
    """QEMU arguments that attach a system."""
    name = system.name
    path = os.path.join(folder, name)
    backend = ["-object", f"memory-backend-file,id=m-{name},share=on,mem-path={path},"
               f"size={os.path.getsize(path) if system.has_image else 0}"]
    if system.device == "vmemstore":
        return ["-device", f"vmemstore,file={path}"]
    if system.device == "virtio-pmem":
        return backend + ["-device", f"virtio-pmem-pci,memdev=m-{name}"]
    if system.device == "nvdimm":
        return backend + ["-device", f"nvdimm,memdev=m-{name}"]
    if system.device == "virtio-blk":
        return ["-drive", f"if=none,id=d-{name},format=raw,file={path},cache={system.cache}",
                "-device", f"virtio-blk-pci,drive=d-{name}"]
    if system.device == "virtiofs":
        socket = os.path.join(run_folder, "virtiofsd.sock")
        return ["-chardev", f"socket,id=c-{name},path={socket}",
                "-device", f"vhost-user-fs-pci,chardev=c-{name},tag=bench"]
    return []


# Guest shell: give every nvdimm an "fsdax" namespace, as "ndctl create-namespace
# -m fsdax -M mem" does; a raw one cannot do DAX.
MAKE_NAMESPACES = """\
cd /sys/bus/nd; for n in devices/namespace*; do n=${n##*/}; p=pfn${n#namespace}; \
[ -e devices/$p ] && [ -e devices/$n/block ] && \
[ $(cat devices/$n/block/*/queue/dax) = 0 ] || continue; \
echo $n >drivers/nd_pmem/unbind; echo ram >devices/$p/mode; echo 2097152 >devices/$p/align; \
cat /proc/sys/kernel/random/uuid >devices/$p/uuid; echo $n >devices/$p/namespace; \
echo $p >drivers/nd_pmem/bind; done; true"""


def mount_command(system):
    """Guest shell: mount the system, finding its disk by the label."""
    source = {"virtiofs": "bench", "none": "none"}.get(system.device, "$disk")
    find = ""
    if system.has_image:
        find = (f"disk=; for d in /dev/pmem* /dev/vd*; do head -c 16384 $d 2>/dev/null | "
                f"grep -aq {label(system)} && disk=$d; done; "
                f"[ -n \"$disk\" ] || {{ echo no disk has label {label(system)}; exit 1; }}; ")
    option = f"-o {system.options} " if system.options else ""
    return (f"{find}mkdir -p {system.mountpoint} && "
            f"mount -t {system.fstype} {option}{source} {system.mountpoint}")
