"""The log, queues and timers on Valkey/Redis: bytes, keys and versions, no meaning."""
