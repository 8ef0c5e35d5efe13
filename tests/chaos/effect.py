"""The effect of a call in a campaign: one line in the ledger when it begins, and one when it ends.

The tool `shell` runs this file as `python effect.py LEDGER SESSION CALL SECONDS FORM`; FORM is `proposed`, or
`edited` where a person changed the call. Each line is on disk before the script goes on, so that a beginning without an
end stands for a run that was cut off.
"""

from __future__ import annotations

import json
import os
import sys
import time


def write(file: int, **line: object) -> None:
    os.write(file, (json.dumps({**line, "pid": os.getpid(), "at": time.time()}) + "\n").encode())
    os.fsync(file)


def main(ledger: str, session: str, call: str, seconds: str, form: str) -> None:
    file = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    write(file, session=session, call=call, form=form, what="begin")
    time.sleep(float(seconds))
    write(file, session=session, call=call, form=form, what="end")


if __name__ == "__main__":
    main(*sys.argv[1:])
