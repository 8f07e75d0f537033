-- The owner of the tables and the daemons' role, once, on the primary, as postgres.
CREATE ROLE intake LOGIN CREATEDB PASSWORD '${password}';
CREATE ROLE intake_daemon LOGIN PASSWORD '${password}';
CREATE DATABASE intake OWNER intake;
