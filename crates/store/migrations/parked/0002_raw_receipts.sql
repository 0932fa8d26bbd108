-- Receipts as they came, oldest first. Beside the parked ones because those are written with them.
CREATE TABLE raw_receipts (
    no           INTEGER PRIMARY KEY,
    received_ms  INTEGER NOT NULL,
    carrier      TEXT NOT NULL,
    why          TEXT NOT NULL,
    octets       BLOB NOT NULL
) STRICT;
