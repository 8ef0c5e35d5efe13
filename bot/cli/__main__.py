"""`python -m bot.cli` is `flagman`."""

from bot.cli.app import main

main()
