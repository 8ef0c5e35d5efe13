"""Parts of a request for approval: what decides on all of its calls, and where calls run."""
