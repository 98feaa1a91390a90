"""Other people's software, measured beside ours; each is skipped where it is not installed."""
