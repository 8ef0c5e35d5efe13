"""Proposed calls: which need an approval, who decides, and what a change of the arguments means."""
