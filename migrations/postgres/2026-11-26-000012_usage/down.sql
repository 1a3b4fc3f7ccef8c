DROP TABLE scope_uses;
DROP TABLE usage_counts;
