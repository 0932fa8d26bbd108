-- Settings: one JSON document a row. They are read whole at the start and kept in memory, so they need
-- no other index, and a new field with a default needs no migration.
CREATE TABLE documents (
    kind TEXT NOT NULL,
    key  TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
