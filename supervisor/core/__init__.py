"""The pure core: events, session state and decisions as functions of the log, without I/O."""
