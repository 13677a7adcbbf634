"""The incidents: one declaration for each, and nothing else about it anywhere.

A declaration says whom it hits, what it does there (acts, whose inverses are known), what to watch, which of the
mechanisms of :mod:`labhelpers.prediction` makes clients wait, and the state expected after healing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from labhelpers.i18n import tr
from labhelpers.incidents import acts
from labhelpers.incidents.acts import Act
from labhelpers.incidents.errors import UnknownIncident
from labhelpers.incidents.situation import Aim, Situation
from labhelpers.prediction import Mechanism, Prediction, Timing, predict
from labhelpers.topology import Topology


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence in both languages; ``{nodes}`` stands for the target."""

    en: str
    fr: str

    def about(self, nodes: Sequence[str] = ()) -> str:
        return tr(self.en, self.fr).replace("{nodes}", " ".join(nodes))

    def __str__(self) -> str:
        return self.about()


@dataclass(frozen=True, slots=True)
class Expected(Words):
    """The state after an incident that ran its course, and its healing."""

    another_leader: bool


_WATCH = {
    "leader-key": Words("the leader key", "le jeton leader"),
    "leader": Words("who leads", "qui est leader"),
    "timeline": Words("the timeline", "la timeline"),
    "members": Words("the members' states", "l'état des membres"),
    "etcd": Words("etcd's members", "les membres d'etcd"),
    "lag": Words("the replicas' lag", "le retard des secondaires"),
    "client": Words("the client's writes", "les écritures du client"),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One incident of the catalogue."""

    id: str
    title: Words
    explanation: Words
    button: Words
    undo_button: Words
    aim: Aim
    acts: Callable[[Topology, tuple[str, ...]], tuple[Act, ...]]
    watch: tuple[str, ...]  # what to look at, keys of _WATCH
    mechanism: Mechanism | None  # None: clients wait as long as the incident lasts
    expected: Expected

    @property
    def to_watch(self) -> str:
        """What to look at, in words."""
        return ", ".join(str(_WATCH[key]) for key in self.watch)

    def prediction(
        self, timing: Timing, situation: Situation | None = None, nodes: Sequence[str] = ()
    ) -> Prediction | None:
        """How long clients will wait where ``nodes`` are hit in that situation (in a healthy lab, where none is given).

        None: as long as it lasts, for nobody takes over; or nobody can say, for a synchronous standby falls silent.
        """
        if self.mechanism is None:
            return None
        if situation is not None and (self._nobody_acts(situation, nodes) or self.silenced(situation, nodes)):
            return None
        return predict(self.mechanism, timing)

    def _nobody_acts(self, situation: Situation, nodes: Sequence[str]) -> bool:
        """Is there no replica to take over, or does Patroni keep still (``patronictl pause``)?"""
        if situation.cluster is None or self.mechanism not in ("lease", "release", "restart"):
            return False
        return situation.cluster.paused or (self.mechanism != "restart" and not situation.successors(nodes))

    def silenced(self, situation: Situation, nodes: Sequence[str]) -> tuple[str, ...]:
        """The synchronous standbys that the leader would no longer hear, while it goes on and waits for them."""
        if self.mechanism != "none":
            return ()
        unheard: set[str] = set()
        for act in self.acts(situation.topology, tuple(nodes)):
            if isinstance(act, acts.Freeze | acts.PowerCut):
                unheard.update(act.nodes)
            elif isinstance(act, acts.CutOff):
                unheard.update(act.others)
        return tuple(node for node in situation.synchronous if node in unheard)

    def predicted(self, timing: Timing, situation: Situation | None = None, nodes: Sequence[str] = ()) -> str:
        """The prediction in words, short enough for a card; the arguments are those of :meth:`prediction`."""
        silenced = self.silenced(situation, nodes) if situation is not None else ()
        if silenced:
            names = " ".join(silenced)
            return tr(
                f"Predicted: commits wait until Patroni gives up the synchronous standby {names}.",
                f"Prédiction : les commits attendent que Patroni renonce au secondaire synchrone {names}.",
            )
        prediction = self.prediction(timing, situation, nodes)
        if prediction is None:
            return tr("Clients wait as long as it lasts.", "Les clients attendent tant que cela dure.")
        if prediction.mechanism == "none":
            return tr("Predicted: writes go on.", "Prédiction : les écritures continuent.")
        if prediction.mechanism == "read-only":
            return tr(
                f"Predicted: read-only after {prediction.interval}.",
                f"Prédiction : lecture seule après {prediction.interval}.",
            )
        return tr(
            f"Predicted: clients wait {prediction.interval}.",
            f"Prédiction : attente des clients {prediction.interval}.",
        )


def _freeze(_: Topology, nodes: tuple[str, ...]) -> tuple[Act, ...]:
    return (acts.Freeze(nodes),)


def _each(act: Callable[[str], Act]) -> Callable[[Topology, tuple[str, ...]], tuple[Act, ...]]:
    return lambda _, nodes: tuple(act(node) for node in nodes)


def _cut_from_etcd(topology: Topology, nodes: tuple[str, ...]) -> tuple[Act, ...]:
    return tuple(acts.CutOff(node, topology.etcd) for node in nodes)


def _cut_from_replicas(topology: Topology, nodes: tuple[str, ...]) -> tuple[Act, ...]:
    return tuple(acts.CutOff(node, tuple(other for other in topology.postgres if other != node)) for node in nodes)


_FREEZE = Words("Freeze {nodes}", "Geler {nodes}")
_THAW = Words("Thaw {nodes}", "Dégeler {nodes}")
_RESTORE_POWER = Words("Restore {nodes}", "Rallumer {nodes}")
_JOIN = Words("Join {nodes} again", "Relier {nodes}")
_SAME_LEADER = Expected(
    "The same leader, two streaming replicas.", "Le même leader, deux secondaires à jour.", another_leader=False
)
_NEW_LEADER = Expected(
    "Another leader on a new timeline; the old one follows it, or has diverged and needs a rewind or a reinit.",
    "Un autre leader, une nouvelle timeline ; l'ancien le suit, ou a divergé et demande un rewind ou un reinit.",
    another_leader=True,
)

_KINDS = (
    Kind(
        "primary-frozen",
        Words("Freeze the primary", "Geler le primaire"),
        Words(
            "{nodes} stops between two instructions: its TCP sessions stay open and nobody answers.",
            "{nodes} s'arrête entre deux instructions : ses sessions TCP restent ouvertes, personne ne répond.",
        ),
        _FREEZE, _THAW, "leader", _freeze, ("leader-key", "leader", "timeline", "client"), "lease", _NEW_LEADER,
    ),
    Kind(
        "primary-power-cut",
        Words("Power cut", "Coupure de courant"),
        Words("The leader's node loses its power: {nodes}.", "Le nœud du leader perd le courant : {nodes}."),
        Words("Cut {nodes}", "Couper {nodes}"), _RESTORE_POWER,
        "leader", _each(acts.PowerCut), ("leader-key", "leader", "timeline", "client"), "lease", _NEW_LEADER,
    ),
    Kind(
        "postgres-crash",
        Words("PostgreSQL crash", "Crash de PostgreSQL"),
        Words("SIGKILL of the postmaster on the leader, {nodes}.", "SIGKILL du postmaster du leader, {nodes}."),
        Words("Crash {nodes}", "Tuer {nodes}"), Words("Close", "Clore"),
        "leader", _each(acts.CrashPostgres), ("members", "timeline", "client"), "restart", _SAME_LEADER,
    ),
    Kind(
        "primary-cut-from-etcd",
        Words("Cut off from etcd", "Isolé d'etcd"),
        Words("The leader, {nodes}, no longer reaches etcd.", "Le leader, {nodes}, n'atteint plus etcd."),
        Words("Cut {nodes} off", "Isoler {nodes}"), _JOIN,
        "leader", _cut_from_etcd, ("leader-key", "leader", "timeline", "client"), "lease", _NEW_LEADER,
    ),
    Kind(
        "dcs-lost",
        Words("Lose the whole DCS", "Perte totale du DCS"),
        Words("{nodes} frozen: nobody may lead.", "{nodes} gelés : plus personne n'a le droit d'être leader."),
        Words("Freeze 3 nodes", "Geler 3 nœuds"), Words("Thaw etcd", "Dégeler etcd"),
        "etcd-all", _freeze, ("etcd", "members", "client"), "read-only", _SAME_LEADER,
    ),
    Kind(
        "dcs-majority-lost",
        Words("Lose two etcd nodes", "Perdre deux nœuds etcd"),
        Words("{nodes} frozen: one of three is no quorum.", "{nodes} gelés : un sur trois n'est pas un quorum."),
        _FREEZE, _THAW, "etcd-majority", _freeze, ("etcd", "members", "client"), "read-only", _SAME_LEADER,
    ),
    Kind(
        "etcd-node-lost",
        Words("Lose one etcd node", "Perdre un nœud etcd"),
        Words("{nodes} frozen, two of three left: the quorum holds.",
              "{nodes} gelé, il en reste deux sur trois : le quorum tient."),
        _FREEZE, _THAW, "etcd-follower", _freeze, ("etcd", "client"), "none", _SAME_LEADER,
    ),
    Kind(
        "etcd-leader-lost",
        Words("Lose etcd's leader", "Perdre le leader d'etcd"),
        Words("{nodes}, etcd's own leader, frozen: etcd elects another.",
              "{nodes}, le leader d'etcd lui-même, gelé : etcd en élit un autre."),
        _FREEZE, _THAW, "etcd-leader", _freeze, ("etcd", "client"), "none", _SAME_LEADER,
    ),
    Kind(
        "replica-lag",
        Words("Lagging replica", "Secondaire en retard"),
        Words("{nodes} stops replaying; it still receives.", "{nodes} ne rejoue plus ; il reçoit encore."),
        Words("Pause {nodes}", "Suspendre {nodes}"), Words("Resume {nodes}", "Reprendre {nodes}"),
        "replica", _each(acts.PauseReplay), ("lag",), "none", _SAME_LEADER,
    ),
    Kind(
        "replica-slow-link",
        Words("Slow link", "Lien lent"),
        Words("What goes to {nodes} passes at 256 kbit/s.", "Ce qui va vers {nodes} passe à 256 kbit/s."),
        Words("Slow {nodes}", "Ralentir {nodes}"), Words("Full speed", "Pleine vitesse"),
        "replica", _each(acts.SlowLink), ("lag",), "none", _SAME_LEADER,
    ),
    Kind(
        "replica-frozen",
        Words("Freeze a replica", "Geler un secondaire"),
        Words("{nodes} frozen; the leader goes on.", "{nodes} gelé ; le leader continue."),
        _FREEZE, _THAW, "replica", _freeze, ("members", "lag", "client"), "none", _SAME_LEADER,
    ),
    Kind(
        "replica-power-cut",
        Words("Power cut of a replica", "Secondaire sans courant"),
        Words("{nodes} loses its power.", "{nodes} perd le courant."),
        Words("Cut {nodes}", "Couper {nodes}"), _RESTORE_POWER,
        "replica", _each(acts.PowerCut), ("members", "client"), "none", _SAME_LEADER,
    ),
    Kind(
        "patroni-crash",
        Words("Patroni crash", "Crash de Patroni"),
        Words("SIGKILL of Patroni on {nodes}: PostgreSQL goes on without it, writable.",
              "SIGKILL de Patroni sur {nodes} : PostgreSQL continue sans lui, ouvert en écriture."),
        Words("Kill Patroni", "Tuer Patroni"), Words("Start it again", "Le relancer"),
        "postgres", _each(acts.CrashPatroni), ("leader-key", "leader", "timeline", "client"), "none",
        _NEW_LEADER,
    ),
    Kind(
        "patroni-frozen",
        Words("Patroni frozen", "Patroni gelé"),
        Words("SIGSTOP of Patroni alone on {nodes}: after the ttl, two leaders.",
              "SIGSTOP de Patroni seul sur {nodes} : après le ttl, deux leaders."),
        Words("Stop Patroni", "Geler Patroni"), Words("Let it go on", "Le laisser reprendre"),
        "postgres", _each(acts.StopPatroni), ("leader-key", "leader", "timeline", "client"), "none",
        _NEW_LEADER,
    ),
    Kind(
        "primary-cut-from-replicas",
        Words("Cut off from the replicas", "Isolé des secondaires"),
        Words("{nodes} still holds the key; nobody streams from it.",
              "{nodes} tient toujours le jeton ; plus personne ne le suit."),
        Words("Cut {nodes} off", "Isoler {nodes}"), _JOIN,
        "leader", _cut_from_replicas, ("lag", "members", "client"), "none", _SAME_LEADER,
    ),
    Kind(
        "primary-cut-from-client",
        Words("Cut off from the client", "Isolé du client"),
        Words("The client no longer reaches {nodes}; the cluster sees nothing wrong.",
              "Le client n'atteint plus {nodes} ; l'agrégat ne remarque rien."),
        Words("Cut {nodes} off", "Isoler {nodes}"), _JOIN,
        "leader", _each(acts.CutClient), ("client",), None, _SAME_LEADER,
    ),
    Kind(
        "primary-shutdown",
        Words("Clean shutdown", "Arrêt propre"),
        Words("systemctl poweroff on {nodes}: the key is released.",
              "systemctl poweroff sur {nodes} : le jeton est rendu."),
        Words("Power {nodes} off", "Éteindre {nodes}"), _RESTORE_POWER,
        "leader", _each(acts.Shutdown), ("leader-key", "leader", "timeline", "client"), "release",
        Expected("Another leader on a new timeline; the old one follows it.",
                 "Un autre leader, une nouvelle timeline ; l'ancien le suit.", another_leader=True),
    ),
)  # fmt: skip

CATALOGUE = MappingProxyType({kind.id: kind for kind in _KINDS})
"""Every incident by its id, in the order of the panel's cards."""

BY_HAND = "frozen-by-hand"
"""A node that a cell froze by a plain ``lxc-freeze``: no card, but undone like the others."""


def kind_of(name: str) -> Kind:
    """The incident of that id. Raises :class:`UnknownIncident` with the list."""
    try:
        return CATALOGUE[name]
    except KeyError:
        raise UnknownIncident(name, CATALOGUE) from None


def freezing(aim: Aim) -> Kind:
    """The incident that freezes whom it is for, and nothing else: there is one for every aim but ``postgres``."""
    return next(kind for kind in CATALOGUE.values() if kind.aim == aim and kind.acts is _freeze)


def title_of(kind: str) -> str:
    """Its title in the trainee's language; also for what was done by hand."""
    if kind in CATALOGUE:
        return str(CATALOGUE[kind].title)
    return tr("frozen by hand", "gelé à la main")
