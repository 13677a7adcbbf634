"""A recording: one file of lines, each a record, written while things happen and read again at any time.

The file is also the road on which records travel: the sampler and every client *append* to it (one ``write``
a line, on a descriptor opened for appending, so that lines of several processes never mix), and whoever draws
*follows* it. A crash of the kernel, of a client or of the figure loses nothing that had been seen, and memory
stays bounded.

    >>> writer = RecordingWriter(path); writer.write(header)
    >>> Recording.load(path).attempts[-1].outcome
    'acknowledged'
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from labhelpers.errors import LabError
from labhelpers.i18n import tr
from labhelpers.observe.records import (
    Attempt,
    ClientEnd,
    ClientInfo,
    EtcdSample,
    Header,
    KeyEvent,
    Mark,
    MemberSample,
    NodeChange,
    NodeEvent,
    Record,
    from_json,
    to_json,
)

LARGEST_READ_BYTES = 1 << 22


class NotARecording(LabError):
    """The file does not begin with a recording's header."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            tr(
                f"{path} is not a recording: it has no header line. Recordings are files named *.jsonl.",
                f"{path} n'est pas un enregistrement : il n'a pas de ligne d'en-tête. Les enregistrements sont "
                "des fichiers *.jsonl.",
            )
        )


class RecordingNotWritten(LabError):
    """The file can't be written; ``reason`` is the system's word."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            tr(f"The recording can't be written to {path}: {reason}.",
               f"L'enregistrement ne peut pas être écrit dans {path} : {reason}.")
        )  # fmt: skip


class RecordingWriter:
    """Appends records to a file, each at once. Several writers, of several processes, may share the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def write(self, record: Record) -> None:
        if self.descriptor >= 0:
            os.write(self.descriptor, (to_json(record) + "\n").encode())

    def close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Follower:
    """Reads what was appended since the last look; a line still being written waits for the next look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def records(self) -> Iterator[Record]:
        while True:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                block = file.read(LARGEST_READ_BYTES)
            end = block.rfind(b"\n") + 1
            if not end:
                return
            self._offset += end
            for line in block[:end].splitlines():
                record = from_json(line.decode("utf-8", "replace"))
                if record is not None:
                    yield record


class Recording:
    """Everything that one recording holds, by kind. Lists are in order of writing."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.header: Header | None = None
        self.samples: list[MemberSample] = []
        self.node_changes: list[NodeChange] = []
        self.etcd_samples: list[EtcdSample] = []
        self.keys: list[KeyEvent] = []
        self.events: list[NodeEvent] = []
        self.clients: list[ClientInfo] = []
        self.client_ends: dict[str, float] = {}
        self.attempts: list[Attempt] = []
        self._marks: dict[str, Mark] = {}
        self.records: list[Record] = []
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        self.records.append(record)
        match record:
            case Header():
                self.header = self.header or record
            case MemberSample():
                self.samples.append(record)
            case NodeChange():
                self.node_changes.append(record)
            case EtcdSample():
                self.etcd_samples.append(record)
            case KeyEvent():
                self.keys.append(record)
            case NodeEvent():
                self.events.append(record)
            case ClientInfo():
                self.clients.append(record)
            case ClientEnd():
                self.client_ends[record.client] = record.at
            case Attempt():
                self.attempts.append(record)
            case Mark():
                self._marks[record.id] = record

    @property
    def marks(self) -> list[Mark]:
        """The incidents and other marks, each in its latest state, in order of their beginning."""
        return sorted(self._marks.values(), key=lambda mark: mark.at)

    @property
    def begin(self) -> float:
        """When the recording began (monotonic seconds): the header's stamp, else the first record's."""
        if self.header is not None:
            return self.header.at
        return min((record.at for record in self.records), default=0.0)

    @property
    def end(self) -> float:
        """The last stamp in it (monotonic seconds)."""
        last = max((record.at for record in self.records), default=0.0)
        return max([last, *(attempt.finished for attempt in self.attempts[-50:])])

    @property
    def members(self) -> tuple[str, ...]:
        if self.header is not None:
            return self.header.members
        return tuple(sorted({sample.member for sample in self.samples}))

    def attempts_of(self, client: str) -> list[Attempt]:
        """The attempts of one client, in order of their end."""
        return sorted((a for a in self.attempts if a.client == client), key=lambda a: a.finished)

    def save(self, path: Path | str) -> Path:
        """Write the recording to a new file. An existing one is replaced only when the new one is complete.

        Raises :class:`RecordingNotWritten`.
        """
        path = Path(path)
        try:
            if path.exists() and not path.is_file():
                found = tr("what is there is no file", "ce qui s'y trouve n'est pas un fichier")
                raise RecordingNotWritten(path, found)
            part = path.with_name(path.name + ".part")
            part.unlink(missing_ok=True)
            writer = RecordingWriter(part)
            try:
                for record in self.records:
                    writer.write(record)
                os.fsync(writer.descriptor)
            finally:
                writer.close()
            return part.replace(path)
        except (OSError, ValueError) as error:  # no file can have such a name
            raise RecordingNotWritten(path, getattr(error, "strerror", None) or str(error)) from error

    @classmethod
    def load(cls, path: Path | str) -> Recording:
        """Read a recording, also one that is still being written. Raises :class:`NotARecording`."""
        path = Path(path)
        try:
            recording = cls(Follower(path).records())
        except (OSError, ValueError) as error:  # no file can have such a name
            raise NotARecording(path) from error
        if recording.header is None:
            raise NotARecording(path)
        return recording
