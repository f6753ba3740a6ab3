"""What a job read, against what it has written: keyed digests by column, in any order of rows."""
