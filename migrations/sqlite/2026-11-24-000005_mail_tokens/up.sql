-- When mail to the present address was last proved to arrive; none if it never was.
ALTER TABLE users ADD COLUMN email_verified_at TEXT;

-- Links in mails that were not used yet: to set a password, to prove an address. Of the token only the digest is stored,
-- which differs for each kind of link.
CREATE TABLE mail_tokens (
    token BLOB NOT NULL PRIMARY KEY CHECK (length(token) = 32),
    -- None for a link that was asked for where there is nobody to have it: written all the same, so that the time that
    -- it takes to ask tells nothing.
    user_id BLOB REFERENCES users (id),
    -- The session that asked for it, without which it is dead; none for a link that was asked for without one.
    session_id BLOB,
    -- The address that the link went to, and that it proves.
    email TEXT,
    expires_at TEXT NOT NULL,
    CHECK ((user_id IS NULL) = (email IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_tokens_user_id ON mail_tokens (user_id);
CREATE INDEX mail_tokens_expires_at ON mail_tokens (expires_at);
