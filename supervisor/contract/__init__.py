"""Requests and views of the public interface, and the one service behind all interfaces."""
