-- Who wants no messages from whom. By user first: a check asks for one user's, and so does who is asked
-- what is known of somebody.
CREATE TABLE entries (
    user       INTEGER NOT NULL, -- digits of the number
    channels   INTEGER NOT NULL, -- 1 text, 2 WhatsApp
    scope      BLOB NOT NULL,    -- 1 and a service's id, or 2 and a sender's number
    account    INTEGER NOT NULL,
    key        INTEGER NOT NULL, -- time and sequence of the entry's id
    tail       INTEGER NOT NULL, -- the rest of it
    is_blocked INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    last       INTEGER NOT NULL, -- key of the event that made it what it is
    PRIMARY KEY (user, channels, scope)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX by_account ON entries (account, key);
CREATE UNIQUE INDEX by_scope ON entries (scope, key);
CREATE INDEX by_change ON entries (updated_ms);

-- What made and changed the entries. Nothing is taken out.
CREATE TABLE events (
    key        INTEGER PRIMARY KEY, -- time and sequence of the event's id
    tail       INTEGER NOT NULL,
    account    INTEGER NOT NULL,
    user       INTEGER NOT NULL,
    channels   INTEGER NOT NULL,
    scope      BLOB NOT NULL,
    is_blocked INTEGER NOT NULL,
    source     INTEGER NOT NULL,
    message    BLOB,               -- of a handset: its id
    keyword    TEXT,
    language   TEXT,
    rule       TEXT,
    actor      TEXT,               -- who asked, if nobody texted
    note       TEXT,
    consent_ms INTEGER             -- when the user had said so, where that was before
) STRICT;

CREATE INDEX by_user ON events (user, key);
