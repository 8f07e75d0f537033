"""Turns files into C: an array of {name, data, size}, so that the binary needs no files beside it.

Usage: embed.py OUTPUT.c SYMBOL FILE...

Defines `const struct embedded_file SYMBOL[]` and `const size_t SYMBOL_count`, in the order of the
command line; a name is the file's without its folder. Each content ends in a NUL that `size` does
not count.
"""

import os
import sys

BYTES_PER_LINE = 24


def array_lines(data):
    for start in range(0, len(data), BYTES_PER_LINE):
        yield "    " + ",".join(str(byte) for byte in data[start:start + BYTES_PER_LINE]) + ","


def main(output, symbol, paths):
    lines = [
        "/* Made by src/tools/embed.py; do not edit. */",
        '#include "intake/core/embedded.h"',
        "",
        f"extern const struct embedded_file {symbol}[];",
        f"extern const size_t {symbol}_count;",
        "",
    ]
    entries = []
    for number, path in enumerate(paths):
        with open(path, "rb") as file:
            data = file.read()
        lines.append(f"static const unsigned char data_{number}[] = {{")
        lines.extend(array_lines(data + b"\0"))
        lines.append("};")
        entries.append(f'    {{"{os.path.basename(path)}", data_{number}, {len(data)}}},')
    lines.append(f"const struct embedded_file {symbol}[] = {{")
    lines.extend(entries)
    lines.append("};")
    lines.append(f"const size_t {symbol}_count = {len(paths)};")
    with open(output, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
