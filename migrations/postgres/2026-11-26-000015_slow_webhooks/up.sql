-- Whether the receiver took long the last time: such ones share lanes of their own.
ALTER TABLE webhooks ADD COLUMN slow boolean NOT NULL DEFAULT false;
