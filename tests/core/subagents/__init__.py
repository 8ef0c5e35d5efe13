"""Plans and sub-agents: what they may do and spend, and how their results come back."""
