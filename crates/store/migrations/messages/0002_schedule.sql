-- Scheduled messages by their time, those of one instant by their key: the order in which they are
-- released, so that a page of an instant that thousands share is read without sorting all of them. The
-- account is there for counting. (It stood before the key, which made every page a sort.)
DROP INDEX IF EXISTS schedule;
CREATE INDEX schedule ON messages (send_at_ms, key, account_no) WHERE status = 0;
