"""The options of the compiler and the linker, as they can be seen in the built program (SECURITY.md, "The program")."""

import platform
import re
import subprocess

import pytest
from daemon import BUILD, PROGRAM

PROGRAMS = [PROGRAM, BUILD / "src/mount-proxy/sstorefs-mount-proxy"]


def tool(*arguments, program=PROGRAM):
    return subprocess.run([*arguments, program], check=True, capture_output=True, text=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout


@pytest.fixture(scope="module", params=PROGRAMS, ids=lambda program: program.name)
def headers(request):
    return tool("readelf", "--wide", "--file-header", "--segments", "--dynamic", program=request.param)


@pytest.fixture(scope="module")
def functions():
    """Our functions, disassembled: {name: its lines}."""
    text = tool("objdump", "--disassemble", "--no-show-raw-insn", "--section=.text")
    return {found[1]: found[2] for found in re.finditer(r"^[0-9a-f]+ <([\w.]+)>:\n((?:.+\n)*)", text, re.MULTILINE)}


@pytest.fixture(scope="module")
def imports():
    return set(re.findall(r" U (\w+)", tool("nm", "--dynamic", "--undefined-only")))


def test_it_lies_at_another_address_each_time(headers):
    assert re.search(r"Type: +DYN", headers) and re.search(r"FLAGS_1.*\bPIE\b", headers)


def test_what_the_linker_fills_in_cannot_be_written_later(headers):
    assert "GNU_RELRO" in headers and re.search(r"\((FLAGS|BIND_NOW)\).*BIND_NOW|FLAGS_1.*\bNOW\b", headers)


def test_nothing_can_be_written_and_executed(headers):
    segments = re.findall(r"^  (\w+) +0x\w+ +0x\w+ +0x\w+ +0x\w+ +0x\w+ ([R ][W ][E ])", headers, re.MULTILINE)
    assert ("GNU_STACK", "RW ") in segments
    assert not [segment for segment in segments if "W" in segment[1] and "E" in segment[1]]
    assert "TEXTREL" not in headers


def test_libraries_come_from_the_systems_places(headers):
    assert not re.search(r"\((RPATH|RUNPATH)\)", headers)


def test_overflows_of_the_stack_are_noticed(imports, functions):
    assert "__stack_chk_fail" in imports
    guarded = [name for name, lines in functions.items() if "__stack_chk_fail" in lines]
    assert {"log_line", "failure_set"} <= set(guarded)


def test_copies_that_are_too_long_are_noticed(imports):
    assert {"__snprintf_chk", "__vsnprintf_chk", "__memcpy_chk", "__strcpy_chk"} <= imports


def test_all_memory_is_wiped_when_it_is_freed():
    """By all libraries: the program's own free(3) and realloc(3) stand before libc's."""
    exported = set(re.findall(r" T (\w+)", tool("nm", "--dynamic", "--defined-only")))
    assert {"free", "realloc"} <= exported


if platform.machine() == "x86_64":
    # The others have no such instructions, or other ones.
    def test_large_frames_touch_every_page(functions):
        """So that no stack grows past its guard page at one bound."""
        large = [lines for lines in functions.values() if re.search(r"sub +\$0x[1-7][0-9a-f]{3,7},%rsp", lines)]
        assert large
        for lines in large:
            assert not re.search(r"sub +\$0x(?!1000,)[1-7][0-9a-f]{3,7},%rsp", lines) and re.search(r"or[ql]? +\$0x0,", lines)

    @pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
    def test_it_is_marked_for_shadow_stacks(program):
        """For a C library that turns them on where the program and every library is marked."""
        assert re.search(r"x86 feature:.*\bSHSTK\b", tool("readelf", "--wide", "--notes", program=program))

    def test_calls_end_where_functions_begin(functions):
        """Control-flow enforcement: whatever can be called through a pointer begins with a mark."""
        for name in ("main", "fs_write", "fs_flush", "free", "realloc", "on_header", "build_request"):
            # What the compiler has split off is called by the rest alone.
            begins = [lines for function, lines in functions.items() if function.split(".")[0] == name and ".part." not in function]
            assert begins and all("endbr64" in lines.split("\n")[0] for lines in begins), name
