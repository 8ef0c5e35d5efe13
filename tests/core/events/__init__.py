"""What may follow what, what an append moves, and what is read back."""
