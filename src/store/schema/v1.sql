-- Conversations and their messages. A bug of ours must not be able to store nonsense: what can be said of a row
-- without looking at the program is said here.

PRAGMA application_id = 0x43766d53; -- "CvmS"

CREATE TABLE conversations (
    -- AUTOINCREMENT: the number of a conversation that was pruned never names another.
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user       TEXT NOT NULL,
    room       TEXT,
    started_at INTEGER NOT NULL,
    closed_at  INTEGER,
    closing    TEXT CHECK (closing IN ('completed', 'failed', 'expired_idle', 'expired_duration', 'shut_down', 'interrupted')),
    CHECK ((closed_at IS NULL) = (closing IS NULL))
) STRICT;

CREATE INDEX conversations_by_user ON conversations (user, id);
CREATE INDEX conversations_open ON conversations (id) WHERE closing IS NULL;
CREATE INDEX conversations_closed ON conversations (closed_at, id) WHERE closing IS NOT NULL;

-- With rowids: in a tree without them a search reads the whole of each long text that it passes.
CREATE TABLE messages (
    conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    seq          INTEGER NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('user', 'bot')),
    reply_to     INTEGER CHECK (reply_to < seq),
    at           INTEGER NOT NULL,
    text         TEXT NOT NULL,
    PRIMARY KEY (conversation, seq),
    FOREIGN KEY (conversation, reply_to) REFERENCES messages (conversation, seq)
) STRICT;

CREATE UNIQUE INDEX messages_one_reply ON messages (conversation, reply_to) WHERE reply_to IS NOT NULL;

CREATE TRIGGER messages_are_dense BEFORE INSERT ON messages
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM messages WHERE conversation = NEW.conversation)
BEGIN SELECT raise(ABORT, 'a message must have the next number of its conversation'); END;

CREATE TRIGGER messages_belong_to_open BEFORE INSERT ON messages
WHEN EXISTS (SELECT 1 FROM conversations WHERE id = NEW.conversation AND closing IS NOT NULL)
BEGIN SELECT raise(ABORT, 'a closed conversation takes no message'); END;

CREATE TRIGGER messages_never_change BEFORE UPDATE ON messages
BEGIN SELECT raise(ABORT, 'a message never changes'); END;

CREATE TRIGGER messages_go_with_their_conversation BEFORE DELETE ON messages
WHEN EXISTS (SELECT 1 FROM conversations WHERE id = OLD.conversation)
BEGIN SELECT raise(ABORT, 'a message goes only with its conversation'); END;

CREATE TRIGGER conversations_only_close BEFORE UPDATE ON conversations
WHEN OLD.closing IS NOT NULL OR NEW.closing IS NULL
    OR NEW.id IS NOT OLD.id OR NEW.user IS NOT OLD.user OR NEW.room IS NOT OLD.room OR NEW.started_at IS NOT OLD.started_at
BEGIN SELECT raise(ABORT, 'a conversation changes only by being closed, once'); END;

CREATE TRIGGER conversations_go_closed BEFORE DELETE ON conversations
WHEN OLD.closing IS NULL
BEGIN SELECT raise(ABORT, 'an open conversation stays'); END;
