"""The domain: launches, pauses, resumes and runs sessions, and records decisions."""
