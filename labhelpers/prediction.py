"""How long writes will be refused: the interval told *before* the fault, from Patroni's three settings.

The arithmetic rests on the lease. The leader renews its key every ``loop_wait``, so that at the moment of a
fault the key has between ``ttl − loop_wait`` and ``ttl`` left to live; then the others notice, elect and
promote.

Sources: https://patroni.readthedocs.io/en/latest/dynamic_configuration.html (ttl, loop_wait, retry_timeout and the rule
``loop_wait + 2·retry_timeout ≤ ttl``) and https://patroni.readthedocs.io/en/latest/faq.html. The seconds that they do
not give (promotion, a clean stop) were measured on the lab.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from labhelpers.i18n import seconds as written
from labhelpers.i18n import tr

DYNAMIC_CONFIGURATION = "https://patroni.readthedocs.io/en/latest/dynamic_configuration.html"
FAQ = "https://patroni.readthedocs.io/en/latest/faq.html"

PROMOTION_SECONDS = 3.0
"""Election, promotion and the client's way to the new leader, at most; measured on the lab."""
RELEASED_SECONDS = (1.0, 5.0)
"""A switchover or a clean stop: the key is released, nobody waits for it to expire; measured on the lab."""
RESTART_SECONDS = 5.0
"""PostgreSQL started again in place by Patroni, with crash recovery, at most; measured on the lab."""

Mechanism: TypeAlias = Literal["lease", "release", "restart", "read-only", "none"]
"""Why writes stop: the lease must expire; the key is released; PostgreSQL is started again where it was; the leader
gives up by itself because it cannot renew its key; they do not stop."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Patroni's dynamic configuration, in seconds; the defaults are Patroni's own."""

    ttl_seconds: float = 30.0
    loop_wait_seconds: float = 10.0
    retry_timeout_seconds: float = 10.0

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Timing:
        """From what ``GET /config`` answers; what it leaves out, or what is no number, is Patroni's default."""

        def seconds(name: str, default: float) -> float:
            value = config.get(name)
            return float(value) if isinstance(value, int | float) else default

        return cls(seconds("ttl", 30), seconds("loop_wait", 10), seconds("retry_timeout", 10))


@dataclass(frozen=True, slots=True)
class Prediction:
    """An interval in seconds after the fault, how it was computed, and where that is written."""

    mechanism: Mechanism
    low_seconds: float
    high_seconds: float
    formula: str
    url: str

    def contains(self, seconds: float) -> bool:
        """Whether so many seconds after the fault are inside the interval."""
        return self.low_seconds <= seconds <= self.high_seconds

    @property
    def interval(self) -> str:
        """``20–43 s``."""
        return f"{self.low_seconds:g}–{self.high_seconds:g} s"

    @property
    def source(self) -> str:
        """The address where the formula comes from, as it is short enough for a sentence."""
        return self.url.removeprefix("https://").removesuffix(".html")

    def sentence(self) -> str:
        """The prediction in words, with its formula and where that comes from."""
        formula = f" ({self.formula}; {self.source})" if self.formula else ""
        if self.mechanism == "none":
            return tr("Nothing to wait for: writes go on.", "Rien à attendre : les écritures continuent.")
        if self.mechanism == "read-only":
            return tr(
                f"The leader becomes read-only after {self.interval}{formula}, and nobody takes over.",
                f"Le leader passe en lecture seule au bout de {self.interval}{formula}, et personne ne prend sa place.",
            )
        if self.mechanism == "restart":
            return tr(
                f"PostgreSQL is started again where it was, after {self.interval}{formula}: the same leader, "
                "the same timeline.",
                f"PostgreSQL est relancé sur place, au bout de {self.interval}{formula} : même leader, même timeline.",
            )
        return tr(
            f"Clients write again after {self.interval}{formula}, on another leader.",
            f"Les clients écrivent à nouveau au bout de {self.interval}{formula}, sur un autre leader.",
        )

    def verdict(self, seconds: float) -> str:
        """The seconds that were measured, beside what was predicted."""
        inside = self.contains(seconds)
        return tr(
            f"{written(seconds)} measured, {self.interval} predicted: {'inside' if inside else 'outside'}.",
            f"{written(seconds)} mesurées, {self.interval} prédites : {'dans' if inside else 'hors de'} l'intervalle.",
        )


def predict(mechanism: Mechanism, timing: Timing = Timing()) -> Prediction:
    """The interval for a mechanism. See the module for the arithmetic and its sources."""
    ttl, loop, retry = timing.ttl_seconds, timing.loop_wait_seconds, timing.retry_timeout_seconds
    if mechanism == "lease":
        high = ttl + loop + PROMOTION_SECONDS
        formula = f"ttl − loop_wait … ttl + loop_wait + {PROMOTION_SECONDS:g}"
        return Prediction("lease", ttl - loop, high, formula, DYNAMIC_CONFIGURATION)
    if mechanism == "release":
        formula = tr("the key is released: no ttl in it", "le jeton est rendu : le ttl ne compte pas")
        return Prediction("release", *RELEASED_SECONDS, formula, FAQ)
    if mechanism == "restart":
        formula = f"0 … loop_wait + {RESTART_SECONDS:g}"
        return Prediction("restart", 0.0, loop + RESTART_SECONDS, formula, DYNAMIC_CONFIGURATION)
    if mechanism == "read-only":
        # The next loop comes after 0 … loop_wait. It tries to renew the key for retry_timeout, then looks for other
        # etcd members for about as long again: Patroni's log shows both before "demoted self".
        formula = "retry_timeout … loop_wait + 2·retry_timeout"
        return Prediction("read-only", retry, loop + 2 * retry, formula, DYNAMIC_CONFIGURATION)
    return Prediction("none", 0.0, 1.0, "", DYNAMIC_CONFIGURATION)
