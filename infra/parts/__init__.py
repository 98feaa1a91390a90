"""The parts of the stack, one noun a file; infra/stack.py is their table of contents."""
