"""The shape of the sources: which layer may include what, and the house style's countable rules."""

import os
import re
import subprocess

import pytest

from intake_harness.daemon import ROOT

# Each layer and those that it may include.
LAYERS = {
    "core": {"core"},
    "db": {"db", "core"},
    "domain": {"domain", "db", "core"},
    "http": {"http", "domain", "db", "core"},
    "worker": {"worker", "domain", "db", "core"},
    "main": {"main", "http", "worker", "domain", "db", "core"},
}
# Libraries' headers and the only layers that may know them.
OWNED_HEADERS = {
    "libpq-fe.h": {"db"},
    "microhttpd.h": {"http"},
    "ini.h": {"core"},
    "systemd/": {"main", "http"},
}
LINES_MAX = 450
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *patterns],
                            cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = [name for name in listed.stdout.split("\n") if name]
        return sorted({name for name in names if os.path.isfile(os.path.join(ROOT, name))})
    # Unpacked from an archive: no git to ask.
    tops = ("src", "include", "tests", "migrations", "config", "systemd")
    found = [os.path.relpath(os.path.join(folder, name), ROOT) for top in tops
             for folder, _, names in os.walk(os.path.join(ROOT, top)) for name in names]
    suffixes = tuple(pattern.removeprefix("*") for pattern in patterns)
    return sorted(name for name in found if name.endswith(suffixes))


def text(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def layer_of(name):
    """src/http/x.c and include/intake/http/x.h are both of http; None outside the layers."""
    found = re.match(r"(?:src|include/intake)/(\w+)/", name)
    return found.group(1) if found and found.group(1) in LAYERS else None


SOURCES = tracked("*.c", "*.h")
LAYERED = [name for name in SOURCES if layer_of(name)]


def test_there_are_sources_of_every_layer():
    assert {layer_of(name) for name in LAYERED} == set(LAYERS)


@pytest.mark.parametrize("name", LAYERED)
def test_includes_follow_the_arrows(name):
    layer = layer_of(name)
    for header in INCLUDE.findall(text(name)):
        ours = re.match(r"intake/(\w+)/", header)
        assert not ours or ours.group(1) in LAYERS[layer], f"{layer} includes {header}"
        for owned, owners in OWNED_HEADERS.items():
            assert not header.startswith(owned) or layer in owners, f"{layer} knows {header}"


@pytest.mark.parametrize("name", [name for name in LAYERED if name.endswith(".c")])
def test_a_source_includes_its_own_header_first(name):
    own = re.sub(r"^src/(.*)\.c$", r"intake/\1.h", name)
    if os.path.exists(os.path.join(ROOT, "include", own)):
        assert INCLUDE.findall(text(name))[0] == own


@pytest.mark.parametrize("name", [name for name in SOURCES if name.endswith(".h")])
def test_a_header_has_guards(name):
    assert re.search(r"#ifndef (\w+_H)\n#define \1\n", text(name)), "no include guard"


@pytest.mark.parametrize("name", SOURCES)
def test_a_file_says_what_it_is_for(name):
    assert text(name).startswith("/*"), "no first comment"


@pytest.mark.parametrize("name", SOURCES + tracked("*.py", "*.sql"))
def test_a_file_has_one_job(name):
    lines = text(name).count("\n")
    assert lines <= LINES_MAX, f"{lines} lines: has it two jobs?"


@pytest.mark.parametrize("name", [name for name in LAYERED if layer_of(name) != "db"])
def test_sql_is_only_in_db(name):
    strings = " ".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', text(name)))
    assert not re.search(r"\b(SELECT .+ FROM|INSERT INTO|DELETE FROM|UPDATE \w+ SET)\b", strings)


@pytest.mark.parametrize("name", SOURCES)
def test_structs_are_not_hidden_behind_typedefs(name):
    assert not re.search(r"^\s*typedef\s+(struct|union|enum)\b", text(name), re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in LAYERED if layer_of(name) in ("core", "db", "domain")
                                  and not name.endswith(("/log.c", "/log.h"))])
def test_only_upper_layers_log(name):
    assert not re.search(r"\blog_(error|warning|info|debug)\s*\(", text(name))


def test_nothing_is_left_for_later():
    later = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
    names = SOURCES + tracked("*.py", "*.sql", "*.sh", "*.build", "*.conf", "*.md", "quickstart")
    assert [name for name in names if later.search(text(name))] == []
