-- What a restore would hold if the disk were lost now: the heartbeat's number, and the seconds since. Nothing if there is
-- none. Run as the superuser, in the database `postgres`; heartbeat.sql creates the view.
SELECT n, lost FROM backup.archived;
