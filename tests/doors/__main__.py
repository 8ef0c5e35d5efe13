"""`python -m tests.doors` writes the table of doors into the documentation."""

from tests.doors.description import TABLE, table

TABLE.write_text(table(), encoding="utf-8")
