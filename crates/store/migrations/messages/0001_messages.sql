-- One shard: the messages of one stretch of time, and all that belongs to them.
--
-- Columns that updates touch stand first; the long texts last, where reading an index's row for its
-- status does not have to step over them.
CREATE TABLE messages (
    -- Milliseconds and sequence of the id: rows arrive in this order, so inserting appends.
    key                   INTEGER PRIMARY KEY,
    -- The random bits of the id. A read compares them: a made-up SID finds nothing.
    tail                  INTEGER NOT NULL,
    account_no            INTEGER NOT NULL,
    -- postrider_core::message::Status: 0 scheduled; 1, 2, 3 waiting; 4 sent; others final.
    status                INTEGER NOT NULL,
    -- Set of statuses as bits.
    callbacks_due         INTEGER NOT NULL,
    sent_ms               INTEGER,
    sender_no             INTEGER,
    num_segments          INTEGER NOT NULL,
    -- Which run the row belongs to, see below.
    run                   INTEGER NOT NULL,
    -- Digits of an E.164 number; of any other address a negative hash (then the text decides).
    to_key                INTEGER NOT NULL,
    from_key              INTEGER,
    is_backlog            INTEGER NOT NULL,
    deadline_ms           INTEGER NOT NULL,
    send_at_ms            INTEGER,
    updated_ms            INTEGER NOT NULL,
    error                 INTEGER,
    attempts              INTEGER NOT NULL,
    is_possible_duplicate INTEGER NOT NULL,
    -- One octet for each segment the carrier took.
    segments              BLOB NOT NULL,
    carrier               TEXT,
    done_date             TEXT,
    -- 0 SM, 1 MM.
    kind                  INTEGER NOT NULL,
    direction             INTEGER NOT NULL,
    -- 0 GSM-7, 1 UCS-2.
    encoding              INTEGER NOT NULL,
    num_media             INTEGER NOT NULL,
    service               BLOB,
    from_addr             TEXT,
    to_addr               TEXT NOT NULL,
    status_callback       TEXT,
    body                  TEXT NOT NULL,
    submitted_body        TEXT,
    decision              BLOB,
    -- JSON of the rarely used parameters; absent when all have their defaults.
    options               TEXT
) STRICT;

-- Runs: stretches of some ten thousand messages, from a first key to the next run's. Recipients and
-- carriers' ids come in no order. In an index over the whole shard nearly every new entry would meet a
-- page of its own, which is then written to the log, flushed and copied. With the run in front the
-- entries of a run fall on a few hundred pages, and those of older runs rest. A lookup asks run
-- after run, the newest first. The first run begins before everything.
CREATE TABLE runs (
    run       INTEGER PRIMARY KEY,
    first_key INTEGER NOT NULL
) STRICT;
INSERT INTO runs VALUES (0, -1);

-- Every index ends in the row key without being told, so each of the first three lists an account's
-- messages (all; of a run, to one recipient or from one sender) newest first, page by page, without
-- sorting.
CREATE INDEX by_account ON messages (account_no);
CREATE INDEX by_to ON messages (run, account_no, to_key);
CREATE INDEX by_from ON messages (run, account_no, from_key) WHERE from_key IS NOT NULL;

-- Listings by date of sending. Filled by the update that says `sent`, in the order of time.
CREATE INDEX by_sent ON messages (account_no, sent_ms) WHERE sent_ms IS NOT NULL;

-- The queues. Holds waiting messages only, so it is as small as the backlog; a sender's window is
-- refilled from its own stretch, and depths (messages, segments) are read without the rows. (BETWEEN,
-- because SQLite builds a temporary table for IN, in every statement that touches the status.)
CREATE INDEX queue ON messages (sender_no, key, num_segments) WHERE status BETWEEN 1 AND 3;

-- Backlog that may expire before the queue's window reaches it.
CREATE INDEX deadlines ON messages (deadline_ms) WHERE is_backlog = 1 AND status BETWEEN 1 AND 3;

-- Scheduled messages by their time; the account is there for counting.
CREATE INDEX schedule ON messages (send_at_ms, account_no) WHERE status = 0;

-- The outbox: messages with callbacks still to be made.
CREATE INDEX callbacks ON messages (key) WHERE callbacks_due <> 0;

-- From a carrier's id to the message and segment it stands for. `ref` is a stable hash of the carrier
-- group and the id, `carrier_id` decides between equal hashes; `run` is the message's. The table is its own index.
CREATE TABLE submitted (
    run        INTEGER NOT NULL,
    ref        INTEGER NOT NULL,
    key        INTEGER NOT NULL,
    segment    INTEGER NOT NULL,
    carrier_id TEXT NOT NULL,
    PRIMARY KEY (run, ref, key, segment, carrier_id)
) STRICT, WITHOUT ROWID;

-- One row, written with every transaction that inserts or deletes: nothing is ever counted.
CREATE TABLE totals (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    -- Ever inserted: when to begin the next shard.
    inserted    INTEGER NOT NULL,
    -- Here now.
    stored      INTEGER NOT NULL,
    -- The newest id ever inserted, deleted or not; -1 in an empty shard.
    newest_key  INTEGER NOT NULL,
    newest_tail INTEGER NOT NULL
) STRICT;
INSERT INTO totals VALUES (1, 0, 0, -1, 0);
