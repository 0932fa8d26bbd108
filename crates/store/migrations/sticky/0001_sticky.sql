-- Services by a short number, so that a mapping costs some thirty bytes.
CREATE TABLE services (
    no  INTEGER PRIMARY KEY,
    sid BLOB NOT NULL UNIQUE
) STRICT;

CREATE TABLE mappings (
    service   INTEGER NOT NULL,
    recipient INTEGER NOT NULL, -- E.164, without the plus
    sender    INTEGER NOT NULL,
    position  INTEGER NOT NULL, -- in the pool
    created_s INTEGER NOT NULL,
    used_s    INTEGER NOT NULL,
    PRIMARY KEY (service, recipient)
) STRICT, WITHOUT ROWID;

-- Of each sender's mappings, by its place in the pool; kept in step with them.
CREATE TABLE counts (
    service  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    mappings INTEGER NOT NULL,
    PRIMARY KEY (service, position)
) STRICT, WITHOUT ROWID;

-- One row: mappings of messages before this id are in the table.
CREATE TABLE progress (
    only    INTEGER PRIMARY KEY CHECK (only = 1),
    reached BLOB NOT NULL
) STRICT;
