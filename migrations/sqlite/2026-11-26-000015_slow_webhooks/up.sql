-- Whether the receiver took long the last time: such ones share lanes of their own.
ALTER TABLE webhooks ADD COLUMN slow INTEGER NOT NULL DEFAULT 0 CHECK (slow IN (0, 1));
