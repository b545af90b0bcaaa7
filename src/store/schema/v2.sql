-- Idempotency keys: a start or a message that is tried again under its key is there once.

ALTER TABLE conversations ADD COLUMN key TEXT;
ALTER TABLE messages ADD COLUMN key TEXT;

CREATE UNIQUE INDEX conversations_by_key ON conversations (user, key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX messages_by_key ON messages (conversation, key) WHERE key IS NOT NULL;

CREATE TRIGGER conversations_keep_their_key BEFORE UPDATE OF key ON conversations
BEGIN SELECT raise(ABORT, 'a conversation keeps its key'); END;
