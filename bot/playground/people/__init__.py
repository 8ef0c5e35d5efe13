"""What people do, and what the app is told about it."""
