-- Alerts of one message, to be found when it is redacted or deleted.
CREATE INDEX by_resource ON alerts (account, resource) WHERE resource IS NOT NULL;
