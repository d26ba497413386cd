-- Shares and figures of validators that another committee has taken over are those of that committee.

-- JSON array as in `validators`; '' for reshares that were published before this column was.
ALTER TABLE taken_over ADD COLUMN operators TEXT NOT NULL DEFAULT '';

-- The committee that performed, as in `ceremonies`; '' for rows from before: the one that made the validator.
ALTER TABLE performance ADD COLUMN operator_ids TEXT NOT NULL DEFAULT '';
