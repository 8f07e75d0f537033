"""Turns files into C, so that the binary needs no files beside it. See core/embedded.h.

Usage: embed.py [--web] OUTPUT.c SYMBOL FILE...

Defines `const struct embedded_file SYMBOL[]`, `const size_t SYMBOL_count`, in the order of the
command line, and `const char SYMBOL_digest[]`, which changes when any of the contents does.
With --web each file is there compressed too, and `@ASSETS@` in an HTML file becomes the path of
the folder of all that is not HTML, with the digest of its contents: what a path ever names stays.
"""

import gzip
import hashlib
import os
import sys

BYTES_PER_LINE = 24
DIGEST_DIGITS = 32


def digest_of(data):
    return hashlib.sha256(data).hexdigest()[:DIGEST_DIGITS]


def array(name, data):
    yield f"static const unsigned char {name}[] = {{"
    for start in range(0, len(data), BYTES_PER_LINE):
        yield "    " + ",".join(str(byte) for byte in data[start:start + BYTES_PER_LINE]) + ","
    yield "};"


def read_all(paths):
    contents = {}
    for path in paths:
        with open(path, "rb") as file:
            contents[os.path.basename(path)] = file.read()
    assert len(contents) == len(paths), "two files of one name"
    return contents


def digest_of_assets(contents):
    """Of names and contents, with lengths, so that no two folders read the same."""
    parts = [b"%s %d\n%s" % (name.encode(), len(data), data)
             for name, data in sorted(contents.items()) if not name.endswith(".html")]
    return digest_of(b"".join(parts))


def main(output, symbol, paths, web):
    contents = read_all(paths)
    folder_digest = digest_of_assets(contents)
    lines = [
        "/* Made by src/tools/embed.py; do not edit. */",
        '#include "intake/core/embedded.h"',
        "",
        f"extern const struct embedded_file {symbol}[];",
        f"extern const size_t {symbol}_count;",
        f"extern const char {symbol}_digest[];",
        "",
    ]
    entries = []
    for number, (name, data) in enumerate(contents.items()):
        if web and name.endswith(".html"):
            data = data.replace(b"@ASSETS@", f"/assets/{folder_digest}".encode())
        lines.extend(array(f"data_{number}", data + b"\0"))
        fields = f'.name = "{name}", .data = data_{number}, .size = {len(data)}, .digest = "{digest_of(data)}"'
        if web:
            packed = gzip.compress(data, 9, mtime=0)
            lines.extend(array(f"gzip_{number}", packed))
            fields += f", .gzip = gzip_{number}, .gzip_size = {len(packed)}"
        entries.append(f"    {{{fields}}},")
    lines.append(f"const struct embedded_file {symbol}[] = {{")
    lines.extend(entries)
    lines.append("};")
    lines.append(f"const size_t {symbol}_count = {len(contents)};")
    lines.append(f'const char {symbol}_digest[] = "{folder_digest}";')
    with open(output, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--web"]
    if len(arguments) < 3:
        sys.exit(__doc__)
    main(arguments[0], arguments[1], arguments[2:], "--web" in sys.argv)
