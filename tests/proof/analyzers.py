"""What machines say about the sources without running them: nothing that is not explained."""

import concurrent.futures
import glob
import json
import os
import re
import shlex
import subprocess

from intake_harness.daemon import ROOT

# GCC 12 forgets who holds an allocation once its address stands where it was reached through a
# second pointer: an element of an array, or a member of what such an element points to. Each of
# these was followed by hand; LeakSanitizer finds nothing there either.
KNOWN = {
    ("src/core/config.c", "set_text", "malloc-leak"): "the copy is the member's, which config_finish() frees",
    ("src/core/metrics.c", "metric_add_series", "malloc-leak"): "the metric's, which metrics_destroy() frees",
    ("src/domain/compile_constraints.c", "constraints_of", "malloc-leak"): "the item's, freed with it",
    ("src/domain/compile_constraints.c", "read_mime_type", "malloc-leak"): "the item's constraints, freed with it",
    ("src/domain/compile_constraints.c", "read_resource", "malloc-leak"): "the item's constraints, freed with it",
    ("src/domain/compile_options.c", "compile_value_sets", "malloc-leak"): "the questionnaire's, freed with it",
    ("src/domain/evaluate.c", "visit_answer", "malloc-leak"): "the evaluation's, which evaluation_finish() frees",
}
WHERE = re.compile(r"^[^:\n]+: In function .(\w+).:$")
FINDING = re.compile(r"^([^:\n]+):\d+:\d+: (?:warning|error): (.*) \[-Wanalyzer-([a-z-]+)\]$")


def gcc_findings(source):
    """{(file, function, kind): message} of GCC's analyzer for one source."""
    libraries = subprocess.run(["pkg-config", "--cflags", "libpq", "libsodium", "uuid", "libmicrohttpd", "libsystemd"],
                               text=True, capture_output=True, check=True).stdout
    done = subprocess.run(["gcc", "-fanalyzer", "-O0", "-c", "-o", os.devnull, "-std=gnu17", "-D_GNU_SOURCE",
                           '-DINTAKE_VERSION=""', "-I", "include", "-I", "src/main", *shlex.split(libraries), source],
                          cwd=ROOT, env={**os.environ, "LC_ALL": "C"}, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    found, function = {}, None
    for line in done.stderr.splitlines():
        place, finding = WHERE.match(line), FINDING.match(line)
        function = place.group(1) if place else function
        if finding:
            found[finding.group(1), function, finding.group(3)] = finding.group(2)
    return found


def gcc_all():
    found = {}
    sources = sorted(os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, "src", "*", "*.c")))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for part in pool.map(gcc_findings, sources):
            found.update(part)
    return found, len(sources)


def lint(check, pattern):
    """How many findings a check of tests/lint prints; one that fails without a finding counts as one."""
    done = subprocess.run([os.path.join(ROOT, "tests", "lint"), check], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    findings = [line for line in done.stdout.splitlines() if re.search(pattern, line)]
    for line in findings:
        print(f"  {line}", flush=True)
    return max(len(findings), int(done.returncode != 0))


def suppressions():
    """(suppressions beside the code, those of them that say no reason)"""
    marks, silent = 0, []
    for folder in ("src", "include"):
        for path in glob.glob(os.path.join(ROOT, folder, "**", "*.[ch]"), recursive=True):
            with open(path, encoding="utf-8") as file:
                lines = [line for line in file if re.search(r"NOLINT|cppcheck-suppress", line)]
            marks += len(lines)
            silent += [f"{path}: {line}" for line in lines
                       if not re.search(r"NOLINT\w*\([\w.,-]+\): \w|cppcheck-suppress \w+ ; \w", line)]
    return marks, silent


def prove(binary, table, short):
    """`binary` is not used. There is no short form: tests/run has clang-tidy and cppcheck as steps."""
    del binary, short
    with open(os.path.join(ROOT, "build", "compile_commands.json"), encoding="utf-8") as file:
        assert json.load(file), "clang-tidy needs the build directory"
    tidy = lint("tidy", r"(warning|error): .*\[")
    table.add("clang-tidy and clang's analyzer: findings", str(tidy), "0", tidy == 0)
    cppcheck = lint("cppcheck", r": (error|warning|performance|portability): ")
    table.add("cppcheck: findings", str(cppcheck), "0", cppcheck == 0)
    marks, silent = suppressions()
    table.add("  suppressed beside the code without a reason", f"{len(silent)} of {marks}", "0", marks > 0 and not silent)
    found, sources = gcc_all()
    unknown = {key: found[key] for key in found.keys() - KNOWN.keys()}
    for key, message in unknown.items():
        print(f"  {' '.join(map(str, key))}: {message}", flush=True)
    for key in KNOWN.keys() - found.keys():
        print(f"  {' '.join(key)}: not found any more, and still explained", flush=True)
    stale = len(KNOWN.keys() - found.keys())
    table.add("GCC's analyzer: findings without an explanation", f"{len(unknown)} in {sources} files, {len(KNOWN)} explained",
              "0", not unknown and stale == 0 and sources > 100)
