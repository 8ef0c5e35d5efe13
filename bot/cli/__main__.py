"""`python -m bot.cli` runs `flagman`."""

from bot.cli.app import main

main()
