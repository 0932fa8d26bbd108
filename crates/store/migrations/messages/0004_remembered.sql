-- Create requests that carried an idempotency key, by the hash of that key; a row for each message so
-- made and none for others. The message may be gone. Keys come in no order, and unlike the indexes of
-- `messages` this one is not divided in runs, so that a file is asked once and not run by run.
CREATE TABLE remembered (
    account_no  INTEGER NOT NULL,
    key_hash    BLOB NOT NULL,
    -- The message's.
    key         INTEGER NOT NULL,
    tail        INTEGER NOT NULL,
    -- 0 SM, 1 MM.
    kind        INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    PRIMARY KEY (account_no, key_hash, key)
) STRICT, WITHOUT ROWID;
