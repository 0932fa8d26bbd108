-- The queues, now with the mark of backlog: what waits without it (what a process had in memory when it
-- ended) is found in the index alone, however much backlog stands between.
DROP INDEX IF EXISTS queue;
CREATE INDEX queue ON messages (sender_no, key, num_segments, is_backlog)
    WHERE status BETWEEN 1 AND 3;
