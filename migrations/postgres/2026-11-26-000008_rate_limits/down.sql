DROP TABLE nodes;
DROP TABLE saved_spends;
ALTER TABLE api_keys DROP COLUMN limit_hour;
ALTER TABLE api_keys DROP COLUMN limit_minute;
