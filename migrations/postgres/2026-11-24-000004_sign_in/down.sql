DROP TABLE proof_budgets;
DROP TABLE recovery_codes;
DROP TABLE totp_factors;
DROP TABLE sign_in_challenges;
DROP TABLE devices;
DROP TABLE sessions;
ALTER TABLE users DROP COLUMN default_workspace_id;
