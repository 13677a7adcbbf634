"""Wrong states made on purpose on a real lab, each of which the right check must catch with the right hint."""

from __future__ import annotations
