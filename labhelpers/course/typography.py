"""The spaces of French prose that no line may be broken at.

French sets a space before ``:``, ``;``, ``?`` and ``!``, and inside ``« »``. The sources have an ordinary one there, as
every keyboard types it; in a notebook it must not let the sign wrap to the next line alone. What is not prose stays as
it is: code, tags, addresses, and what makes a list, a heading or a table.
"""

from __future__ import annotations

import re

from labhelpers.i18n import NARROW_NO_BREAK_SPACE

NO_BREAK_SPACE = "\u00a0"

_PIECES = re.compile(
    r"""
      ^[ \t>]*(?P<fence>`{3,}|~{3,}) [^`\n]*\n .*? (?: ^[ \t>]*(?P=fence)[`~]*[ \t]*$ | \Z )   # a fenced block
    | (?P<ticks>(?<!`)`+(?!`)) (?: (?!\n[ \t]*\n). )*? (?<!`)(?P=ticks)(?!`)           # code in a line
    | <!-- .*? -->
    | <(?P<raw>pre|code|script|style)\b .*? </(?P=raw)>
    | < /? [A-Za-z] (?: "[^"]*" | '[^']*' | [^<>"'] )* >                               # a tag, or <https://…>
    | (?<=\]) \( (?: [^()\s] | \([^()\s]*\) )* (?: \s+ (?:"[^"]*"|'[^']*') )? \)       # a link's target
    | ^[ ]{0,3}\[[^\]\n]+\]: .* $                                                      # the same, named
    | https?://\S+
    | ^ (?: [ \t]* (?: [-*+>] | \d+[.)] | \#{1,6} ) [ \t]+ )+                          # a list, a heading, a quotation
    | ^ [ \t]* \|? [ \t:|-]+ $                                                         # the line below a table's head
    | (?P<narrow> (?<=[^\s|]) [ ] (?= [;?!] (?![\w=\[]) ) )
    | (?P<wide>   (?<=[^\s|]) [ ] (?= :     (?![\w:/.=-]) ) | (?<=«) [ ] | [ ] (?=») )
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


def french(text: str) -> str:
    """The Markdown with a narrow no-break space before ``;``, ``?``, ``!``, and a no-break space before ``:`` and
    inside ``« »``, wherever an ordinary one stands there. Twice is as good as once.
    """
    return _PIECES.sub(_spaced, text)


def _spaced(piece: re.Match[str]) -> str:
    if piece["narrow"]:
        return NARROW_NO_BREAK_SPACE
    return NO_BREAK_SPACE if piece["wide"] else piece[0]
