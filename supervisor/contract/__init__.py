"""The contract: what programs ask of Flagman, what they get, and the one service that answers every face."""
