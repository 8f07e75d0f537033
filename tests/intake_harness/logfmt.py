"""The log's lines: one record each, whatever somebody sent."""

import re

VALUE = r'(?:[^\x00-\x20"=\\\x7f-\U0010ffff]+|"(?:[^\x00-\x1f\x7f-\x9f\u2028\u2029"\\]|\\["\\]|\\x[0-9a-f]{2})*")'
RECORD = re.compile(rf"time=\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{6}}Z level=(error|warning|info|debug) message={VALUE}"
                    rf"(?: [a-z_]+={VALUE})*")
KEY = re.compile(rf"(\w+)={VALUE}")
CUT_AT = 2047  # bytes; what does not fit is left out, the closing quote with it


def records(log):
    """[(level, line)] of a log; fails at a line that is not one well-formed record."""
    found = []
    assert log == "" or log.endswith("\n"), log[-200:]
    for line in log.split("\n")[:-1]:
        whole = re.sub(r"\\(x[0-9a-f]?)?$", "", line) + '"' if len(line.encode()) >= CUT_AT else line
        record = RECORD.fullmatch(line) or RECORD.fullmatch(whole)
        assert record, f"no record: {line!r}"
        keys = KEY.findall(whole)
        assert len(keys) == len(set(keys)), f"a field twice: {line!r}"
        found.append((record[1], line))
    return found


def errors(log):
    return [line for level, line in records(log) if level == "error"]
