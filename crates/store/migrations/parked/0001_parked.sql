-- Receipts that no message claims yet. Few, and gone within minutes: read whole at the start.
CREATE TABLE parked (
    parked       INTEGER PRIMARY KEY,
    received_ms  INTEGER NOT NULL,
    carrier_group TEXT NOT NULL,
    -- JSON array of the id's normal forms, most literal first.
    candidates   TEXT NOT NULL,
    handset      INTEGER,
    is_delivered INTEGER NOT NULL,
    error        INTEGER,
    done_date    TEXT
) STRICT;
