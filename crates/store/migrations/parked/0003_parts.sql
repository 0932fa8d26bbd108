-- Segments of messages from handsets, until all are there; and for a while longer, so that a segment
-- that comes again is known. By the id that the whole message has.
CREATE TABLE parts (
    message      BLOB NOT NULL,
    sequence     INTEGER NOT NULL,
    total        INTEGER NOT NULL,
    reference    INTEGER NOT NULL,
    is_16_bit    INTEGER NOT NULL,
    received_ms  INTEGER NOT NULL,
    carrier      TEXT NOT NULL,
    from_addr    TEXT NOT NULL,
    to_addr      TEXT NOT NULL,
    -- 0 GSM-7, 1 UCS-2.
    encoding     INTEGER NOT NULL,
    -- UTF-16, big endian: a character may be cut between two segments.
    text         BLOB NOT NULL,
    -- The message was made of these.
    is_joined    INTEGER NOT NULL,
    PRIMARY KEY (message, sequence)
) STRICT, WITHOUT ROWID;
