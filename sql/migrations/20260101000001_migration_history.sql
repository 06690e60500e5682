-- migrate:up

-- dbmate's own table is created by the owner like any other, so writers got it by default. Which
-- migrations have run is for migrations alone to say.
REVOKE INSERT, UPDATE, DELETE ON schema_migrations FROM transcripts_readwrite;

-- migrate:down

GRANT INSERT, UPDATE, DELETE ON schema_migrations TO transcripts_readwrite;
