# SPDX-License-Identifier: GPL-3.0-or-later
"""What README.md tells a reader to type."""

import re

from harness import ROOT

README = (ROOT / "README.md").read_text()


def blocks(title):
    """The indented blocks of the section with this title."""
    section = README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)


def commands_of(block):
    """One by one; a here-document belongs to its command."""
    lines = [line[4:] for line in block.splitlines()]
    while lines:
        command = [lines.pop(0)]
        end = re.search(r"<<'?(\w+)'?", command[0])
        while end and command[-1] != end[1]:
            command.append(lines.pop(0))
        yield "\n".join(command)


def written_file(title, name, words):
    """What the section's here-document writes into this file, with these words instead of those."""
    command, = (command for block in blocks(title) for command in commands_of(block) if command.startswith(f"cat >{name} "))
    text = "".join(f"{line}\n" for line in command.splitlines()[1:-1])
    for old, new in words.items():
        assert old in text, f"no {old} in what README.md writes into {name}:\n{text}"
        text = text.replace(old, str(new))
    return text
