-- How many open invitations somebody has sent.
CREATE INDEX invitations_invited_by ON invitations (invited_by);
