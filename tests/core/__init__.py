"""The pure core: what may follow what, who may decide, and what is read back."""
