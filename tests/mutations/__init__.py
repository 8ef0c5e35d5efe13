"""Mistakes put into the scripts of the store, one at a time, to see whether the tests of storage find them."""
