"""The log, queues and timers on Valkey/Redis. The content of rows and events is opaque here."""
