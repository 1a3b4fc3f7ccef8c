DROP TABLE clock_mark;
