-- History is in the order in which things happened, so what narrows it leads to that order.
DROP INDEX statements_decision;
CREATE INDEX statements_decision ON statements (decision, time);
CREATE INDEX statements_stream ON statements (stream, time);
DROP INDEX logins_outcome;
CREATE INDEX logins_outcome ON logins (outcome, time);
CREATE INDEX logins_stream ON logins (stream, time);
