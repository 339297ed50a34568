"""What a compiled program says of itself."""

import re

WAITS = r" (all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)(-start)?\("


def waits(text: str, inner: bool) -> list[str]:
    """The instructions of a program, as XLA prints it, in which a device waits for the others.

    With `inner` those in loops, branches and calls, else those between them.
    """
    head = re.search(r"^ENTRY .*\{$", text, re.MULTILINE)
    end = text.index("\n}", head.end())
    entry, others = text[head.end() : end], text[: head.start()] + text[end:]
    return [line for line in (others if inner else entry).splitlines() if re.search(WAITS, line)]
