"""The way to the app: websockets, signed HTTP, and the events that go over them."""
