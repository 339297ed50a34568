"""What a compiled program says of itself."""

import re

WAITS = r" (all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)(-start)?\("
CALLS = r"(?:calls|to_apply|body|condition|branch_computations)=(\{[^}]*\}|%[\w.-]+)"


def loops(text: str) -> list[str]:
    """The instructions in loops and in what loops call, of a program as XLA prints it."""
    bodies, lines = {}, None
    for line in text.splitlines():
        if found := re.match(r"(?:ENTRY )?%([\w.-]+) .*\{$", line):
            lines = bodies[found[1]] = []
        elif line.startswith(" "):
            lines.append(line)
    called = lambda line: [name for names in re.findall(CALLS, line) for name in re.findall(r"%([\w.-]+)", names)]
    todo = [name for lines in bodies.values() for line in lines if " while(" in line for name in called(line)]
    seen = set()
    while todo:
        if (name := todo.pop()) not in seen:
            seen.add(name)
            todo += [other for line in bodies[name] for other in called(line)]
    return [line for name in seen for line in bodies[name]]


def waiting(lines: list[str]) -> list[str]:
    """Those of the instructions in which a device waits for the others."""
    return [line for line in lines if re.search(WAITS, line)]
