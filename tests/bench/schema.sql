-- The tables that pgbench writes: the three of ours, with the fewest indexes that make the upserts
-- correct.
DROP SCHEMA IF EXISTS peer CASCADE;
CREATE SCHEMA peer;
SET search_path TO peer;

CREATE TABLE users (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    phone_number text UNIQUE,
    email        text,
    name         text,
    user_type    text DEFAULT 'whatsapp'
                 CHECK (user_type IN ('whatsapp', 'medical_questionnaire', 'chat')),
    created_at   timestamptz DEFAULT now()
);
CREATE UNIQUE INDEX users_email_key ON users (lower(email));

CREATE TABLE patient_profiles (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id        uuid NOT NULL UNIQUE REFERENCES users (id),
    name           text NOT NULL,
    phone          text,
    email          text NOT NULL,
    booking_uid    text,
    source_channel text DEFAULT 'medical_questionnaire',
    created_at     timestamptz DEFAULT now(),
    updated_at     timestamptz DEFAULT now(),
    deleted        boolean NOT NULL DEFAULT false
);
CREATE INDEX idx_patient_profiles_booking_uid ON patient_profiles (booking_uid);

CREATE TABLE medical_questionnaire_submissions (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    booking_uid        text UNIQUE NOT NULL,
    patient_profile_id uuid REFERENCES patient_profiles (id),
    submission_data    jsonb NOT NULL,
    status             text NOT NULL DEFAULT 'submitted'
                       CHECK (status IN ('submitted', 'processed', 'failed')),
    created_at         timestamptz DEFAULT now(),
    updated_at         timestamptz DEFAULT now(),
    deleted            boolean DEFAULT false
);
