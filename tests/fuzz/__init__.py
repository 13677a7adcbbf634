"""Hostile input to every command, magic and public function: one clear sentence, no traceback, nothing changed.

python -m tests.fuzz --cases 300
"""
