"""Chapter 07: the cluster back home, rewind at its disposal, one history on all nodes, no setting left over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from labhelpers.checks.ch04_cluster import cluster_findings
from labhelpers.checks.probes import ask, magic
from labhelpers.checks.registry import Finding, check
from labhelpers.i18n import tr
from labhelpers.postgres import SqlError

if TYPE_CHECKING:
    from labhelpers.checks.probes import Facts
    from labhelpers.lab import Lab

HOME = "pg-1"
UNDEFINED_TABLE = "42P01"
"""https://www.postgresql.org/docs/17/errcodes-appendix.html"""

_REWIND_USER = """\
python3 -c "
import yaml
rewind = yaml.safe_load(open('/etc/patroni/{scope}.yml'))['postgresql']['authentication'].get('rewind') or {{}}
print(rewind.get('username') or '')"
"""

_REWIND_LOGIN = """\
read_config() {{ python3 -c "
import yaml
rewind = yaml.safe_load(open('/etc/patroni/{scope}.yml'))['postgresql']['authentication'].get('rewind') or {{}}
print(rewind.get('$1') or '')"; }}
export PGUSER=$(read_config username) PGPASSWORD=$(read_config password) PGCONNECT_TIMEOUT=5
[ -n "$PGUSER" ] || {{ echo unset; exit 1; }}
psql -X -h {leader} -d postgres -Atc "select length(pg_read_binary_file('global/pg_control')) > 0, count(*) \
from pg_ls_dir('.', true, false) as f, pg_stat_file('PG_VERSION', true)" 2>&1
"""
"""What pg_rewind does first: log in on the leader, read a file, list a directory."""

_GRANTS = (
    "grant execute on function pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), "
    "pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) to "
)

_ROLE = (
    """\
psql -q -v ON_ERROR_STOP=1 <<'SQL'
\\getenv password REWIND_PASSWORD
select not exists (select from pg_roles where rolname = 'rewind') as missing \\gset
\\if :missing
  create role rewind;
\\endif
alter role rewind login password :'password';
"""
    + _GRANTS
    + """rewind;
SQL"""
)


@check(
    "07.cluster",
    chapter="07",
    en="A leader and two streaming replicas",
    fr="Un leader et deux secondaires en réplication",
)
def cluster(lab: Lab) -> Iterator[Finding]:
    yield from cluster_findings(lab)


@check("07.home", chapter="07", en="pg-1 leads, and nothing is paused", fr="pg-1 mène, et rien n'est en pause")
def home(lab: Lab) -> Iterator[Finding]:
    seen = lab.patroni.cluster()
    leader = seen.leader.name if seen.leader else None
    if leader != HOME:
        yield Finding(
            "not-home",
            HOME,
            tr(f"leader: {leader or 'nobody'}", f"leader : {leader or 'personne'}"),
            tr(f"leader: {HOME}", f"leader : {HOME}"),
            tr("The experiments begin with the lead on pg-1.", "Les expériences partent de pg-1 comme leader."),
            tr("Bring the lead there.", "Ramenez-y le rôle de leader."),
            magic(HOME, f"patronictl switchover --candidate {HOME} --force", "--user postgres"),
        )
    if seen.paused:
        yield Finding(
            "paused",
            HOME,
            tr(
                "the cluster is paused: nobody would take over",
                "l'agrégat est en pause : personne ne prendrait la relève",
            ),
            tr("not paused", "pas de pause"),
            tr("Who paused it, and is the reason gone?", "Qui l'a mis en pause, et la raison a-t-elle disparu ?"),
            tr("Let Patroni work again.", "Laissez Patroni travailler de nouveau."),
            magic(HOME, "patronictl resume", "--user postgres"),
        )


@check("07.rewind", chapter="07", en="Patroni can use pg_rewind", fr="Patroni peut se servir de pg_rewind")
def rewind(lab: Lab) -> Iterator[Finding]:
    leader = lab.patroni.leader() or HOME
    script = _REWIND_LOGIN.format(scope=lab.topology.scope, leader=lab.topology.node(leader).address)
    user = _REWIND_USER.format(scope=lab.topology.scope)
    facts, silent = ask(lab, lab.topology.postgres, {"login": script, "user": user})
    yield from silent
    for node, fact in facts.items():
        if not fact.ok("login"):
            yield _rewind_finding(lab, node, fact)


def _rewind_finding(lab: Lab, node: str, fact: Facts) -> Finding:
    said = fact["login"].splitlines()[-1] if fact["login"] else tr("no answer", "pas de réponse")
    expected = tr(
        "the rewind role logs in on the leader and reads files",
        "le rôle de rewind se connecte au leader et lit des fichiers",
    )
    if said == "unset":
        return Finding(
            "rewind-unset",
            node,
            tr("no rewind role in the configuration", "pas de rôle de rewind dans la configuration"),
            expected,
            tr(
                f"Look below authentication: in /etc/patroni/{lab.topology.scope}.yml of this node.",
                f"Regardez sous authentication: dans /etc/patroni/{lab.topology.scope}.yml de ce nœud.",
            ),
            tr(
                "The part is there as a comment: give it the password, on every node, then reload Patroni.",
                "La partie s'y trouve en commentaire : donnez-lui le mot de passe, partout, puis rechargez Patroni.",
            ),
            _write_login(lab, node),
        )
    if "permission denied" in said:
        return Finding(
            "rewind-grant",
            node,
            said,
            expected,
            tr(
                "The role logs in, but may not read the files.",
                "Le rôle se connecte, mais ne peut pas lire les fichiers.",
            ),
            tr(
                "Grant it the four functions, in the database postgres of the leader.",
                "Accordez-lui les quatre fonctions, dans la base postgres du leader.",
            ),
            magic("leader", f'psql -c "{_GRANTS}{fact["user"] or "rewind"}"', "--user postgres"),
        )
    return Finding(
        "rewind-login",
        node,
        said,
        expected,
        tr(
            "Which line of pg_hba lets the role in, and does the role have this password?",
            "Quelle ligne de pg_hba laisse entrer le rôle, et a-t-il ce mot de passe ?",
        ),
        tr(
            "Three things must fit: role and password on the leader, the same in the node's file, a line in pg_hba.",
            "Trois choses doivent concorder : rôle et mot de passe sur le leader, les mêmes dans le fichier du nœud, "
            "une ligne dans pg_hba.",
        ),
        _open_pg_hba() if "no pg_hba.conf entry" in said else
        magic("leader", _ROLE, "--user postgres --secret REWIND_PASSWORD=rewind") + "\n\n" + _write_login(lab, node),
    )  # fmt: skip


def _write_login(lab: Lab, node: str) -> str:
    """A cell that writes role and password into the node's own file, whatever stands there."""
    path = f"/etc/patroni/{lab.topology.scope}.yml"
    return magic(
        node,
        f"sed -i -E '/^#? *rewind:/,/^#? *password:/d' {path}\n"
        f'sed -i "s/^  authentication:/&\\n    rewind:\\n      username: rewind\\n      password: $REWIND_PASSWORD/" '
        f"{path}\nsystemctl reload patroni@{lab.topology.scope}",
        "--secret REWIND_PASSWORD=rewind",
    )


def _open_pg_hba() -> str:
    """A cell that adds the line for the rewind role to what all nodes share."""
    line = "host    postgres        rewind          samenet                 scram-sha-256"
    return magic(
        "leader",
        f'patronictl show-config | sed "/pg_hba:/a\\  - {line}" | patronictl edit-config --replace - --force',
        "--user postgres",
    )


@check("07.settings", chapter="07", en="Replication is as it was before", fr="La réplication est réglée comme avant")
def settings(lab: Lab) -> Iterator[Finding]:
    if lab.patroni.config().get("synchronous_mode"):
        yield Finding(
            "synchronous-left",
            HOME,
            "synchronous_mode: true",
            tr("synchronous_mode off", "synchronous_mode désactivé"),
            tr("The chapter turns it on for one experiment.", "Le chapitre l'active le temps d'une expérience."),
            tr("Turn it off again.", "Désactivez-le."),
            magic(HOME, "patronictl edit-config --force -s synchronous_mode=null", "--user postgres"),
        )


@check(
    "07.one-history",
    chapter="07",
    en="The three databases tell the same story",
    fr="Les trois bases racontent la même histoire",
)
def one_history(lab: Lab) -> Iterator[Finding]:
    leader = lab.patroni.leader() or HOME
    try:
        told = {node: _story(lab, node) for node in lab.topology.postgres}
    except SqlError as error:
        if error.sqlstate != UNDEFINED_TABLE:
            raise
        yield Finding(
            "journal-missing",
            error.node,
            tr("there is no table journal", "il n'y a pas de table journal"),
            tr("the table in which the clients write", "la table où écrivent les clients"),
            tr("Who makes this table, and when?", "Qui crée cette table, et quand ?"),
            tr(
                "The clients of a recording make it. Start one, and stop it once it writes.",
                "Les clients d'un enregistrement la créent. Lancez-en un, et arrêtez-le dès qu'il écrit.",
            ),
            'from labhelpers.observe import lessons\nlessons.start(lab, "07-journal").stop()',
        )
        return
    for node, (rows, timeline) in told.items():
        if (rows, timeline) != told[leader]:
            yield Finding(
                "other-history",
                node,
                tr(f"{rows} rows in journal, timeline {timeline}", f"{rows} lignes dans journal, timeline {timeline}"),
                tr(
                    f"{told[leader][0]} rows, timeline {told[leader][1]}, as on {leader}",
                    f"{told[leader][0]} lignes, timeline {told[leader][1]}, comme sur {leader}",
                ),
                tr(
                    "Does the node follow the leader? Look at timeline and state, not at the lag.",
                    "Le nœud suit-il le leader ? Regardez la timeline et l'état, pas le retard.",
                ),
                tr(
                    "If it has diverged, build it again from the leader.",
                    "S'il a divergé, reconstruisez-le à partir du leader.",
                ),
                magic(leader, f"patronictl reinit {lab.topology.scope} {node} --force", "--user postgres"),
            )


def _story(lab: Lab, node: str) -> tuple[int, int]:
    """How many rows the clients' table has there, and on which timeline the node is."""
    status = lab.patroni.node_status(node, timeout=10) or {}
    _, rows = lab.postgres.query(node, "select count(*) from journal")
    return int(rows[0][0]), int(status.get("timeline") or 0)
