-- What create requests with an idempotency key were answered, for a day. Not among the documents, which
-- are kept in memory. A key that is used again after its day has a row for each time until the older one
-- is swept, so that a new answer is always a row more.
CREATE TABLE answers (
    account_no  INTEGER NOT NULL,
    key_hash    BLOB NOT NULL,
    at_ms       INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    status      INTEGER NOT NULL,
    body_sealed TEXT NOT NULL
) STRICT;

CREATE INDEX answers_by_key ON answers (account_no, key_hash, at_ms);
CREATE INDEX answers_by_time ON answers (at_ms);

-- Where they were before.
DELETE FROM documents WHERE kind = 'answer';
