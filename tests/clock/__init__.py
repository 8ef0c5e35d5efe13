"""The clock: what is due fires once, whatever dies."""
