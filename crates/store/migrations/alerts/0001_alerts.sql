CREATE TABLE alerts (
    key               INTEGER PRIMARY KEY, -- time and sequence of the id
    tail              INTEGER NOT NULL,    -- the rest of it
    account           INTEGER NOT NULL,
    code              INTEGER NOT NULL,
    level             INTEGER NOT NULL,    -- 1 error, 2 warning
    resource          TEXT,
    service           BLOB,
    scope             TEXT NOT NULL,
    text              TEXT NOT NULL,
    count             INTEGER NOT NULL,
    updated_ms        INTEGER NOT NULL,
    -- The webhook, if it is about one: then method and url are there.
    method            TEXT,
    url               TEXT,
    status            INTEGER,
    request_headers   TEXT,
    request_variables TEXT,
    response_headers  TEXT,
    response_body     TEXT
) STRICT;

CREATE INDEX by_account ON alerts (account, key);
CREATE INDEX by_level ON alerts (account, level, key);

-- Of each account's alerts; kept in step with them.
CREATE TABLE counts (
    account INTEGER PRIMARY KEY,
    alerts  INTEGER NOT NULL
) STRICT;
