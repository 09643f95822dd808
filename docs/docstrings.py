"""Shows docstrings as their authors wrote them: examples as code, brackets as themselves, comments beside fields.

An extension of griffe, which reads the sources for the reference pages (see mkdocs.yml). Docstrings here are plain text
with `code` in backticks; without this, Markdown takes `>>>` for quotations and [names] for links.
"""

import re
from typing import Any

import griffe


def as_markdown(text: str) -> str:
    r"""Return a docstring with its doctests fenced, and with `[`, `*` and `<` outside code escaped.

    >>> as_markdown("Depth [m], as in `depths[0]`.")
    'Depth \\[m], as in `depths[0]`.'
    """
    paragraphs = re.split(r"\n[ \t]*\n", text)
    return "\n\n".join(_fenced(part) if part.lstrip().startswith(">>> ") else _escaped(part) for part in paragraphs)


def comment_beside(source: str) -> str:
    """Return the comment at the end of a line of code as a sentence, or an empty text.

    >>> comment_beside("units: str  # UDUNITS text")
    'UDUNITS text.'
    """
    found = re.search(r"  # (?!noqa|type:|fmt:)(.+)$", source)
    return f"{found[1][0].upper()}{found[1][1:].rstrip('.')}." if found else ""


class PlainDocstrings(griffe.Extension):
    """Rewrites each docstring once, when it is loaded; a comment beside a field of a class is its docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring is None and obj.is_attribute and obj.parent is not None and obj.parent.is_class:
            comment = comment_beside(obj.source)
            obj.docstring = griffe.Docstring(comment, parent=obj) if comment else None
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def _fenced(paragraph: str) -> str:
    return f"```python\n{paragraph.strip()}\n```"


def _escaped(paragraph: str) -> str:
    parts = re.split(r"(`[^`]*`)", paragraph)
    return "".join(part if part.startswith("`") else _without_marks(part) for part in parts)


def _without_marks(text: str) -> str:
    return re.sub(r"([\[*])", r"\\\1", text).replace("<", "&lt;")
