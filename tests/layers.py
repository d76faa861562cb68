"""
Reads from the linker symbols which file calls which, and fails on a call upwards and on a circle of files.

    layers.py ARCHIVE PROGRAM

ARCHIVE is the library of all rooms; the objects of src/main are in PROGRAM.p. The names of all of them tell the source files.
"""

import glob
import re
import subprocess
import sys
from collections import defaultdict

# What each room may call, beside itself. CONTRIBUTING.md and doc/architecture.md have the same table (test_documents.py).
MAY_CALL = {
    "base": (),
    "cache": ("base",),
    "provider": ("base",),
    "seal": ("base",),
    "net": ("base",),
    "fetch": ("base", "cache", "provider", "seal", "net"),
    "change": ("base", "cache", "fetch", "provider", "seal", "net"),
    "fs": ("base", "cache", "fetch", "change"),
    "config": ("base", "provider", "seal"),
    "main": ("base", "cache", "fetch", "change", "fs", "provider", "seal", "net", "config"),
}
# The state machine of a call: what follows an attempt starts the next one.
ONE_MACHINE = {"net/call.c", "net/retry.c", "net/transfer.c"}
# free() and its like: src/main puts its own in libc's place.
OF_LIBC = {"free", "realloc"}


def source_of(name):
    """src_cache_listing.c.o, or .../sstorefs.p/src_main_main.c.o: cache/listing.c."""
    found = re.search(r"src_([a-z]+)_(\w+\.c)\.o", name)
    return f"{found[1]}/{found[2]}" if found else None


def symbols(paths):
    """(where a global symbol is defined, which symbols a file takes from others)"""
    defined, taken = {}, defaultdict(set)
    output = subprocess.run(["nm", "-A", "-g", *paths], capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        place, _, rest = line.rpartition(": ") if ": " in line else line.partition(":")
        place, fields = re.match(r"(.*\.o):(.*)", line).groups() if ".o:" in line else (place, rest)
        source, fields = source_of(place), fields.split()
        if source is None or not fields:
            continue
        if fields[-2] == "U":
            taken[source].add(fields[-1])
        elif fields[-2] in "TDRBVWC":
            defined.setdefault(fields[-1], source)
    return defined, taken


def calls(paths):
    """file -> file -> the symbols that the first takes from the second"""
    defined, taken = symbols(paths)
    graph = {source: defaultdict(set) for source in {*defined.values(), *taken}}
    for source, names in taken.items():
        for name in names - OF_LIBC:
            if name in defined and defined[name] != source:
                graph[source][defined[name]].add(name)
    return graph


def upwards(graph):
    for source, targets in sorted(graph.items()):
        room = source.partition("/")[0]
        for target, names in sorted(targets.items()):
            other = target.partition("/")[0]
            if other != room and other not in MAY_CALL[room]:
                yield f"{source} calls {', '.join(sorted(names))} of {target}: {room} may not call {other}"


def circles(graph):
    """Strongly connected components of more than one file (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(source):
        index[source] = low[source] = len(index)
        stack.append(source)
        for target in graph[source]:
            if target not in index:
                visit(target)
                low[source] = min(low[source], low[target])
            elif target in stack:
                low[source] = min(low[source], index[target])
        if low[source] == index[source]:
            circle = stack[stack.index(source):]
            del stack[stack.index(source):]
            if len(circle) > 1:
                found.append(set(circle))

    for source in sorted(graph):
        if source not in index:
            visit(source)
    return found


def described(circle, graph):
    yield f"a circle of {len(circle)} files:"
    for source in sorted(circle):
        for target in sorted(circle & graph[source].keys()):
            yield f"  {source} calls {', '.join(sorted(graph[source][target]))} of {target}"


def main():
    sys.setrecursionlimit(10000)
    graph = calls([sys.argv[1], *glob.glob(f"{glob.escape(sys.argv[2])}.p/*.o")])
    rooms = {source.partition("/")[0] for source in graph}
    wrong = [f"there is nothing of {room}: the objects are named otherwise than expected" for room in MAY_CALL.keys() - rooms]
    wrong += [f"{room} has no row in the table of layers" for room in sorted(rooms - MAY_CALL.keys())]
    if not wrong:
        wrong += upwards(graph)
    for circle in circles(graph):
        if circle != ONE_MACHINE:
            wrong += described(circle, graph)
    print("\n".join(wrong) or f"{len(graph)} files, {sum(map(len, graph.values()))} arrows, no circle, none upwards")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
