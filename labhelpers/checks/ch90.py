"""Chapter 90: its one exercise, a member that never leads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from labhelpers.checks.ch04 import config_path
from labhelpers.checks.probes import ask, magic
from labhelpers.checks.registry import Finding, check
from labhelpers.i18n import tr

if TYPE_CHECKING:
    from labhelpers.lab import Lab

TAG = "nofailover"


@check("90.never-leads", chapter="90", en="The last database never leads", fr="La dernière base ne mène jamais")
def never_leads(lab: Lab) -> Iterator[Finding]:
    node, path = lab.topology.postgres[-1], config_path(lab)
    facts, silent = ask(lab, [node], {"written": f"grep -Ei '^ *{TAG}: *(true|yes|on)' {path}"})
    yield from silent
    if silent:
        return
    # What the DCS lists, not what the member says: it is what a switchover goes by.
    if any(member.name == node and member.tags.get(TAG) is True for member in lab.patroni.cluster().members):
        return
    reload = f"systemctl reload patroni@{lab.topology.scope}"
    if facts[node].ok("written"):
        yield Finding(
            "tag-not-in-use", node, tr(f"{TAG} is written and not in use", f"{TAG} est écrit mais pas en service"),
            f"tags: {TAG}: true",
            tr("Written is not in use. Who has to read the file again?",
               "Écrit n'est pas en service. Qui doit relire le fichier ?"),
            tr("Patroni does, when its service is told to reload.",
               "Patroni, quand on demande à son service de recharger."),
            magic(node, reload),
        )  # fmt: skip
        return
    yield Finding(
        "tag-missing", node, tr(f"its Patroni has no tag {TAG}", f"son Patroni n'a pas de tag {TAG}"),
        f"tags: {TAG}: true",
        tr("Which section of the node's own file says what is special about it?",
           "Quelle section du fichier du nœud dit ce qu'il a de particulier ?"),
        tr(f"Below tags, in {path}: give {TAG} the value true, then reload Patroni.",
           f"Sous tags, dans {path} : donnez à {TAG} la valeur true, puis rechargez Patroni."),
        magic(node, f"f={path}\nsed -i 's/{TAG}: false/{TAG}: true/' $f\n"
                    f"grep -q '{TAG}: true' $f || printf 'tags:\\n  {TAG}: true\\n' >> $f\n{reload}"),
    )  # fmt: skip
