"""Rows and sections of benches/RESULTS.md. Measures nothing."""
import datetime
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATH = os.path.join(ROOT, "benches", "RESULTS.md")


def commit():
    done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def made_by():
    """The command that runs, when and at which commit."""
    script = os.path.relpath(os.path.abspath(sys.argv[0]), ROOT)
    words = re.sub(r" --folder[ =]\S+", "", " ".join([script, *sys.argv[1:]]))
    return f"`{words}` on {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC at commit {commit()}"


def row(what, peer, ours, form, lower=True):
    """A line with the ratio in our favour; `lower` says which way is better, None that neither is."""
    ratio = ""
    if lower is not None and peer and ours:
        ratio = f"{peer / ours if lower else ours / peer:.1f} x"
    cells = ["-" if value is None else form.format(value) for value in (peer, ours)]
    return f"| {what} | {cells[0]} | {cells[1]} | {ratio} |"


def section(title, columns, rows, about):
    head = "| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|\n"
    return f"## {title}\n\n{made_by()}. {about}\n\n{head}" + "\n".join(rows) + "\n"


def write(text):
    """Puts a section in the place of the one with the same title, or at the end."""
    title = text.split("\n", 1)[0]
    with open(PATH) as file:
        former = file.read()
    sections = re.split(r"(?m)^(?=## )", former)
    same = [number for number, one in enumerate(sections) if one.split("\n", 1)[0] == title]
    if same:
        last = same[0] == len(sections) - 1
        sections[same[0]] = text if last else text + "\n"
    else:
        sections.append("\n" + text)
    with open(PATH, "w") as file:
        file.write("".join(sections))
