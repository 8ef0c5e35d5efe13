"""What is told to single people: who is mentioned, and the direct message on what waits for them."""
