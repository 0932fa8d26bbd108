-- At most one row: the mapping up to which the last sweep came.
CREATE TABLE sweep (
    only      INTEGER PRIMARY KEY CHECK (only = 1),
    service   INTEGER NOT NULL,
    recipient INTEGER NOT NULL
) STRICT;
