"""Market Data Engine: unbroken, proven candles. Start at docs/architecture.md."""
