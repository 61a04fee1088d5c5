#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""layers.py - do includes, calls and data of the core go downward only?

usage: layers.py CORE OBJECTS

CORE     guestfs/core, or something that is built like it
OBJECTS  its objects, in folders of the same names

A file may include headers of its own layer and of those below, and of the
layers' files only those that are not called NAME_internal.h, but for its own
layer's.  vmem.h, the contract with the outside, and mount.h, which has
struct vmem_fs, belong to no layer.  What an object wants defined must be
defined by an object of its own layer or of one below.  A field of struct
vmem_fs belongs to the layer that mount.h says; a layer above may use it.
"""
import glob
import os
import re
import subprocess
import sys

LAYERS = ["medium", "log", "space", "tree", "fs", "offline"]
OUTSIDE = ["vmem.h", "mount.h"]


def sources(core):
    for layer in LAYERS:
        for path in sorted(glob.glob(os.path.join(core, layer, "*.[ch]"))):
            with open(path, encoding="utf-8") as text:
                yield layer, layer + "/" + os.path.basename(path), text.read()


def wrong_includes(core):
    for layer, name, text in sources(core):
        for included in re.findall(r'^#include "([^"]*)"', text, re.M):
            if included in OUTSIDE:
                continue
            of = included.split("/")[0]
            if of not in LAYERS:
                yield f"{name} includes {included}, which is no file of a layer"
            elif LAYERS.index(of) > LAYERS.index(layer):
                yield f"{name} includes {included}: upward"
            elif of != layer and included.endswith("_internal.h"):
                yield f"{name} includes {included}, which is for {of}/ alone"


def symbols(path):
    run = subprocess.run(["nm", "-P", path], capture_output=True, text=True, check=True)
    for line in run.stdout.splitlines():
        words = line.split()
        yield words[0], words[1]


def wrong_calls(objects):
    defined, wanted = {}, []
    for layer in LAYERS:
        for path in sorted(glob.glob(os.path.join(objects, layer, "*.o"))):
            name = layer + "/" + os.path.basename(path)
            for symbol, kind in symbols(path):
                if kind in "TDRB":
                    defined[symbol] = (layer, name)
                elif kind == "U":
                    wanted.append((layer, name, symbol))
    if not defined:
        yield "no objects: nothing was checked"
    for layer, name, symbol in wanted:
        of, where = defined.get(symbol, (layer, ""))
        if LAYERS.index(of) > LAYERS.index(layer):
            yield f"{name} needs {symbol} of {where}: upward"


def fields(core):
    """{field of struct vmem_fs: layer}; a line "/* LAYER: ... */" begins a layer's fields"""
    with open(os.path.join(core, "mount.h"), encoding="utf-8") as text:
        body = re.search(r"^struct vmem_fs \{\n(.*?)^\};", text.read(), re.M | re.S).group(1)
    layer, owners = None, {}
    for line in body.splitlines():
        begins = re.match(r"\t/\* (\w+):", line)
        if begins and begins.group(1) in LAYERS:
            layer = begins.group(1)
        code = re.sub(r"/\*.*", "", line)
        for field in re.findall(r"(\w+)(?:\[[^\]]*\])?(?=[,;])", code):
            owners[field] = layer
    return owners


def wrong_data(core):
    owners = fields(core)
    for field, layer in owners.items():
        if layer is None:
            yield f"mount.h does not say whose {field} is"
    for layer, name, text in sources(core):
        for field in sorted(set(re.findall(r"\bfs->(\w+)", text))):
            of = owners.get(field)
            if of and LAYERS.index(of) > LAYERS.index(layer):
                yield f"{name} uses fs->{field} of {of}: upward"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n\n")[1])
    core, objects = sys.argv[1:]
    wrong = list(wrong_includes(core)) + list(wrong_calls(objects)) + list(wrong_data(core))
    for line in wrong:
        print(line)
    return 1 if wrong else 0


sys.exit(main())
