"""What the performance figures come from: `make bench`, or `python -m benchmarks --help`. See docs/performance.md."""
