"""The domain: launch, pause, resume, decide, run."""
