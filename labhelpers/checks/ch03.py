"""Chapter 03: three etcd services that are one cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from labhelpers.checks.etcd_config import Fault, faults, parse_environment
from labhelpers.checks.probes import Facts, ask, magic
from labhelpers.checks.registry import Finding, check
from labhelpers.errors import EtcdUnreachable
from labhelpers.etcd import EtcdStatus
from labhelpers.i18n import tr

if TYPE_CHECKING:
    from labhelpers.lab import Lab

COMMANDS = ("etcd", "etcdctl", "curl", "jq", "ping")
FILE = "/etc/default/etcd"
TEMPLATE = """\
ETCD_NAME='{{ node }}'
ETCD_DATA_DIR='/var/lib/etcd/default'
ETCD_LISTEN_PEER_URLS='http://127.0.0.1:2380,http://{{ address }}:2380'
ETCD_LISTEN_CLIENT_URLS='http://127.0.0.1:2379,http://{{ address }}:2379'
ETCD_INITIAL_ADVERTISE_PEER_URLS='http://{{ address }}:2380'
ETCD_INITIAL_CLUSTER_STATE='new'
ETCD_INITIAL_CLUSTER_TOKEN='etcd-cluster'
ETCD_INITIAL_CLUSTER='e1=http://{{ addresses.e1 }}:2380,e2=http://{{ addresses.e2 }}:2380,\
e3=http://{{ addresses.e3 }}:2380'
ETCD_ADVERTISE_CLIENT_URLS='http://{{ address }}:2379'
"""


@check(
    "03.packages",
    chapter="03",
    en="etcd is installed on the three arbiters",
    fr="etcd est installé sur les trois arbitres",
)
def packages(lab: Lab) -> Iterator[Finding]:
    found = "for c in " + " ".join(COMMANDS) + "; do command -v $c >/dev/null && echo $c; done"
    facts, silent = ask(lab, lab.topology.etcd, {"commands": found, "unit": "systemctl cat etcd"})
    yield from silent
    for node, fact in facts.items():
        missing = [command for command in COMMANDS if command not in fact["commands"].split()]
        if not fact.ok("unit") and "etcd" not in missing:
            missing.insert(0, "etcd.service")
        if missing:
            yield Finding(
                "package-missing",
                node,
                tr(f"missing: {', '.join(missing)}", f"il manque : {', '.join(missing)}"),
                "etcd-server etcd-client curl iputils-ping jq",
                tr(
                    "Did the installation end well on this node? Debian has no package named etcd.",
                    "L'installation s'est-elle bien terminée sur ce nœud ? Debian n'a pas de paquet nommé etcd.",
                ),
                tr(
                    "Install the server and the client; what is there already stays.",
                    "Installez le serveur et le client ; ce qui est déjà là ne change pas.",
                ),
                magic(node, "apt-get install -y etcd-server etcd-client curl iputils-ping jq", "--timeout 300"),
            )


@check(
    "03.config",
    chapter="03",
    en="The three configurations describe one cluster",
    fr="Les trois configurations décrivent un seul agrégat",
)
def config(lab: Lab) -> Iterator[Finding]:
    facts, silent = ask(lab, lab.topology.etcd, {"file": f"cat {FILE}", "state": "systemctl is-active etcd"})
    yield from silent
    files = {node: parse_environment(fact["file"]) for node, fact in facts.items()}
    addresses = {spec.name: spec.address for spec in lab.topology.nodes}
    for fault in faults(files, addresses, lab.topology.etcd):
        yield _explain(fault)
    for node, file in files.items():
        if file.get("ETCD_INITIAL_CLUSTER_STATE", "new") != "new" and facts[node]["state"] != "active":
            yield _explain(
                Fault(
                    "config-state",
                    node,
                    "ETCD_INITIAL_CLUSTER_STATE",
                    file.get("ETCD_INITIAL_CLUSTER_STATE"),
                    "new",
                )
            )


def _explain(fault: Fault) -> Finding:
    value = fault.value.replace("\u00a0", "⍽").replace("\u200b", "⍽").replace(" ", "␣")
    found = (
        tr(f"{fault.variable} is not set", f"{fault.variable} n'est pas défini")
        if not fault.value
        else f"{fault.variable}={value}"
    )
    hint, second = _HINTS[fault.key]()
    return Finding(
        fault.key,
        fault.node,
        found,
        f"{fault.variable}={fault.expected}",
        hint,
        second,
        _mend(fault),
    )


def _mend(fault: Fault) -> str:
    if fault.key in ("config-missing", "config-plus"):
        return f"%%file {FILE} etcd\n{TEMPLATE}"
    line = f"{fault.variable}='{fault.expected}'"
    return magic(
        fault.node,
        f"sed -i '/^{fault.variable}/d' {FILE}\necho \"{line}\" >> {FILE}\nsystemctl restart --no-block etcd",
    )


_HINTS = {
    "config-missing": lambda: (
        tr(f"Is {FILE} still the package's?", f"{FILE} est-il encore celui du paquet ?"),
        tr(
            "Write the whole description of the cluster on each node.",
            "Écrivez la description complète de l'agrégat sur chaque nœud.",
        ),
    ),
    "config-plus": lambda: (
        tr(
            "This file is not a shell script: systemd reads it.",
            "Ce fichier n'est pas un script shell : systemd le lit.",
        ),
        tr(
            "systemd ignores +=. Write the three members in one value, with commas.",
            "systemd ignore +=. Écrivez les trois membres en une seule valeur, avec des virgules.",
        ),
    ),
    "config-space": lambda: (
        tr("Look for a character that does not show.", "Cherchez un caractère qui ne se voit pas."),
        tr(
            "No blank may stand in ETCD_INITIAL_CLUSTER, not even after a comma.",
            "Aucun blanc n'est permis dans ETCD_INITIAL_CLUSTER, pas même après une virgule.",
        ),
    ),
    "config-cluster": lambda: (
        tr(
            "Who is named there, and does every node name the same?",
            "Qui y est nommé, et chaque nœud nomme-t-il les mêmes ?",
        ),
        tr(
            "The value is the same on the three nodes, letter by letter: three names, three addresses, port 2380.",
            "La valeur est la même sur les trois nœuds, à la lettre : trois noms, trois adresses, port 2380.",
        ),
    ),
    "config-name": lambda: (
        tr(
            "How does this node find itself in the list of members?",
            "Comment ce nœud se trouve-t-il dans la liste ?",
        ),
        tr(
            "ETCD_NAME is the name that ETCD_INITIAL_CLUSTER gives to this node's address.",
            "ETCD_NAME est le nom qu'ETCD_INITIAL_CLUSTER donne à l'adresse de ce nœud.",
        ),
    ),
    "config-token": lambda: (
        tr(
            "Something must be the same on the three nodes, and is not.",
            "Quelque chose doit être identique sur les trois nœuds, et ne l'est pas.",
        ),
        tr(
            "A token makes the cluster's identity: another token, another cluster. After the change the data "
            "directory must go.",
            "Le jeton fait l'identité de l'agrégat : autre jeton, autre agrégat. Après le changement, le "
            "répertoire "
            "de données doit disparaître.",
        ),
    ),
    "config-peer": lambda: (
        tr(
            "At which address do the other members reach this one?",
            "À quelle adresse les autres joignent-ils celui-ci ?",
        ),
        tr(
            "A member advertises its own peer URL, the one ETCD_INITIAL_CLUSTER has for it.",
            "Un membre annonce sa propre URL de pair, celle qu'ETCD_INITIAL_CLUSTER a pour lui.",
        ),
    ),
    "config-client": lambda: (
        tr(
            "Which address does this member give to clients?",
            "Quelle adresse ce membre donne-t-il aux clients ?",
        ),
        tr(
            "Each member advertises its own client URL alone; the others advertise theirs.",
            "Chaque membre n'annonce que sa propre URL cliente ; les autres annoncent les leurs.",
        ),
    ),
    "config-listen": lambda: (
        tr(
            "Can another machine reach this service, or only the node itself?",
            "Une autre machine peut-elle joindre ce service, ou seulement le nœud lui-même ?",
        ),
        tr(
            "Listen on the node's address besides 127.0.0.1.",
            "Écoutez sur l'adresse du nœud en plus de 127.0.0.1.",
        ),
    ),
    "config-state": lambda: (
        tr(
            "Is there a cluster already that this member would join?",
            "Y a-t-il déjà un agrégat que ce membre rejoindrait ?",
        ),
        tr(
            "A cluster that is founded is new on all its members.",
            "Un agrégat que l'on fonde est « new » partout.",
        ),
    ),
}


@check(
    "03.cluster",
    chapter="03",
    en="One cluster of three members with one leader",
    fr="Un agrégat de trois membres et un seul leader",
)
def cluster(lab: Lab) -> Iterator[Finding]:
    facts, silent = ask(
        lab,
        lab.topology.etcd,
        {"state": "systemctl is-active etcd", "log": "journalctl -qu etcd -n 40 -o cat"},
    )
    yield from silent
    statuses: dict[str, EtcdStatus] = {}
    stopped = False
    for node, fact in facts.items():
        if fact["state"] != "active":
            stopped = True
            yield _stopped(node, fact)
            continue
        try:
            statuses[node] = lab.etcd.status(node)
        except EtcdUnreachable as error:
            yield Finding(
                "etcd-unreachable",
                node,
                tr(
                    f"etcd runs and does not answer on port 2379 ({error.reason})",
                    f"etcd tourne mais ne répond pas sur le port 2379 ({error.reason})",
                ),
                tr("it answers on the node's address", "il répond à l'adresse du nœud"),
                tr(
                    "Is there a majority? On which addresses does it listen?",
                    "Y a-t-il une majorité ? Sur quelles adresses écoute-t-il ?",
                ),
                tr(
                    "Compare what runs with what is configured, then restart.",
                    "Comparez ce qui tourne avec ce qui est configuré, puis redémarrez.",
                ),
                magic(node, "ss -ltn | grep 23; journalctl -u etcd -n 20 --no-pager"),
            )
    yield from _together(lab, statuses)
    if len(statuses) == len(lab.topology.etcd) and not stopped and not any(s.leader_id for s in statuses.values()):
        node = lab.topology.etcd[0]
        yield Finding(
            "cluster-no-leader",
            node,
            tr("no member leads", "aucun membre ne dirige"),
            tr("one leader", "un leader"),
            tr("Is a majority running?", "Une majorité tourne-t-elle ?"),
            tr("Start the three together.", "Démarrez les trois ensemble."),
            magic("etcd", "systemctl restart --no-block etcd"),
        )


def _stopped(node: str, fact: Facts) -> Finding:
    state, log = fact["state"] or "?", fact["log"]
    expected = "systemctl is-active etcd: active"
    if "member count is unequal" in log or "has already been bootstrapped" in log or "cluster ID mismatch" in log:
        return _old_data(node, f"etcd: {state}")
    if state == "activating":
        hint = tr("It starts, and waits. For whom?", "Il démarre, et attend. Qui ?")
        second = tr(
            "A member alone waits for a majority: start the three together.",
            "Un membre seul attend une majorité : démarrez les trois ensemble.",
        )
    else:
        hint = tr("Why did it end? Its journal knows.", "Pourquoi s'est-il arrêté ? Son journal le sait.")
        second = tr(
            "Read the journal; if the configuration is right, start the three together.",
            "Lisez le journal ; si la configuration est juste, démarrez les trois ensemble.",
        )
    command = magic("etcd", "systemctl start --no-block etcd; journalctl -u etcd -n 20 --no-pager")
    return Finding("etcd-stopped", node, f"systemctl is-active etcd: {state}", expected, hint, second, command)


def _old_data(node: str, found: str) -> Finding:
    return Finding(
        "cluster-old-data",
        node,
        found,
        tr("a member of the cluster of three", "un membre de l'agrégat de trois"),
        tr(
            "When does etcd read ETCD_INITIAL_CLUSTER: at every start, or only once?",
            "Quand etcd lit-il ETCD_INITIAL_CLUSTER : à chaque démarrage, ou une seule fois ?",
        ),
        tr(
            "Only with an empty data directory. Stop the three, wipe their data, start them together.",
            "Seulement avec un répertoire de données vide. Arrêtez les trois, videz leurs données, "
            "démarrez-les ensemble.",
        ),
        magic(
            "etcd",
            "systemctl stop etcd\nrm -rf /var/lib/etcd/default/member\nsystemctl start --no-block etcd",
        ),
    )


def _together(lab: Lab, statuses: dict[str, EtcdStatus]) -> Iterator[Finding]:
    """Whether those that answer are members of one cluster, and its members are the three nodes."""
    if not statuses:
        return
    clusters = Counter(status.cluster_id for status in statuses.values())
    common, _ = clusters.most_common(1)[0]
    peers = {f"http://{lab.topology.node(node).address}:2380": node for node in lab.topology.etcd}
    sizes: dict[str, int] = {}
    for node in statuses:
        members = lab.etcd.members(via=node)
        sizes[node] = len(members)
        listed = {peers.get(url) or url for member in members for url in member.peer_urls}
        if statuses[node].cluster_id != common or (len(members) == 1 and len(lab.topology.etcd) > 1):
            yield _old_data(
                node,
                tr(
                    f"etcd here is a cluster of its own with {len(members)} member(s)",
                    f"etcd forme ici un agrégat à part, de {len(members)} membre(s)",
                ),
            )
        elif listed != set(lab.topology.etcd) and node == next(iter(statuses)):
            yield Finding(
                "cluster-members",
                node,
                tr(f"the members are {', '.join(sorted(listed))}", f"membres : {', '.join(sorted(listed))}"),
                ", ".join(lab.topology.etcd),
                tr(
                    "Who is missing, or too many? etcdctl member list -w table",
                    "Qui manque, ou est en trop ? etcdctl member list -w table",
                ),
                tr(
                    "Found the cluster again with the three of them: stop, wipe, start together.",
                    "Refondez l'agrégat avec les trois : arrêt, données vidées, démarrage ensemble.",
                ),
                magic(
                    "etcd",
                    "systemctl stop etcd\nrm -rf /var/lib/etcd/default/member\nsystemctl start --no-block etcd",
                ),
            )


@check("03.enabled", chapter="03", en="etcd starts with its node", fr="etcd démarre avec son nœud")
def enabled(lab: Lab) -> Iterator[Finding]:
    facts, silent = ask(lab, lab.topology.etcd, {"enabled": "systemctl is-enabled etcd"})
    yield from silent
    for node, fact in facts.items():
        if fact["enabled"] not in ("enabled", "alias", "static"):
            yield Finding(
                "etcd-not-enabled",
                node,
                f"systemctl is-enabled etcd: {fact['enabled'] or '?'}",
                "enabled",
                tr(
                    "What happens to this arbiter when its node restarts?",
                    "Qu'advient-il de cet arbitre quand son nœud redémarre ?",
                ),
                tr("Enable the service.", "Activez le service."),
                magic(node, "systemctl enable etcd"),
            )
