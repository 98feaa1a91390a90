"""A bug that is planted on purpose, and the tests that must notice it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug: in `file` (from the repository's root) the text `before`, which stands there once, is `after`.

    `tests`: what pytest is given; at least one of them must fail.
    """

    name: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    def planted(self, text: str) -> str:
        """The file with the bug in it. Raises: ValueError when the text is not there exactly once."""
        found = text.count(self.before)
        if found != 1:
            raise ValueError(f"{self.name}: {self.file} has the text {found} times")
        return text.replace(self.before, self.after)
