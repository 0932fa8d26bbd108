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

-- Where they were before. One that makes no sense is left behind.
INSERT OR IGNORE INTO answers
SELECT
    account.body ->> '$.Account.no',
    unhex(answer.body ->> '$.Answer.key'),
    answer.body ->> '$.Answer.at_ms',
    unhex(answer.body ->> '$.Answer.fingerprint'),
    answer.body ->> '$.Answer.status',
    answer.body ->> '$.Answer.body_sealed'
FROM documents AS answer
JOIN documents AS account
    ON account.kind = 'account' AND account.key = answer.body ->> '$.Answer.account'
WHERE answer.kind = 'answer';

DELETE FROM documents WHERE kind = 'answer';
