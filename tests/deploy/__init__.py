"""The files for a deployment, started and checked as far as a machine without a container engine allows."""
