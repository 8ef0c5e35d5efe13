"""What agents can do: the built-in tools and the contract that every tool keeps."""
