"""A table as text, for the terminal and for Dagster."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Cells as text. Headings are (text, `left` or `right`)."""

    headings: list[tuple[str, str]]
    rows: list[list[str]]

    @property
    def markdown(self) -> str:
        rule = ["---:" if side == "right" else "---" for _, side in self.headings]
        lines = [[text for text, _ in self.headings], rule, *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
