"""The tables of a recording file."""

from __future__ import annotations

VERSION = 2
"""In files of format 1, ``calls.duration_s`` is named ``ended``, and compressed streams are kept as they came."""
SUFFIX = ".l0"

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE calls (
    id TEXT PRIMARY KEY,
    started_unix REAL NOT NULL,
    began REAL NOT NULL,
    trace_id TEXT, span_id TEXT,
    provider TEXT, model TEXT, dialect TEXT, operation TEXT, streaming INTEGER, origin TEXT,
    call TEXT NOT NULL,
    outcome TEXT, error TEXT, duration_s REAL,
    delivered_items INTEGER NOT NULL DEFAULT 0, delivered_chars INTEGER NOT NULL DEFAULT 0,
    incomplete INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX calls_started ON calls (started_unix);
CREATE TABLE attempts (
    call TEXT NOT NULL, number INTEGER NOT NULL, leg INTEGER, hedge INTEGER, started REAL,
    request TEXT, status INTEGER, response_headers TEXT, head_at REAL,
    ended REAL, ending TEXT, error TEXT,
    PRIMARY KEY (call, number)
) WITHOUT ROWID;
CREATE TABLE reads (
    call TEXT NOT NULL, attempt INTEGER NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL, bytes BLOB NOT NULL,
    began REAL
);
CREATE INDEX reads_call ON reads (call);
CREATE TABLE decisions (
    call TEXT NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL,
    signal TEXT NOT NULL, command TEXT NOT NULL, inputs TEXT NOT NULL, nested INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX decisions_call ON decisions (call);
CREATE TABLE deliveries (call TEXT NOT NULL, at REAL NOT NULL, items INTEGER NOT NULL, chars INTEGER NOT NULL);
CREATE INDEX deliveries_call ON deliveries (call);
"""
"""``calls.began`` is the start of a call on the monotonic clock of its process, the clock of the signals. Every other
time is in seconds since then. ``chars`` counts the answer's characters so far; ``items`` those of one read.
``reads.began`` is later than the ``at`` of the read before if the program took time in between; older files lack it."""
