-- The tables that the WhatsApp assistant, the web chat and the Cal.com receiver read and write,
-- only where they are missing: in the live database this step changes nothing. It has no step
-- back, because the tables belong to those programs as well.
CREATE TABLE IF NOT EXISTS users (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    phone_number text UNIQUE NOT NULL,
    name         text,
    created_at   timestamptz DEFAULT now()
);

CREATE TABLE IF NOT EXISTS patient_profiles (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted    boolean NOT NULL DEFAULT false,
    user_id    uuid NOT NULL REFERENCES users (id),
    name       text NOT NULL,
    phone      text NOT NULL,
    email      text NOT NULL,
    location   text,
    age        integer,
    gender     text,
    CONSTRAINT uq_patient_profile_user_id UNIQUE (user_id)
);

CREATE TABLE IF NOT EXISTS medical_backgrounds (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    deleted            boolean NOT NULL DEFAULT false,
    patient_profile_id uuid NOT NULL REFERENCES patient_profiles (id),
    medical_data       jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT uq_medical_background_patient_profile_id UNIQUE (patient_profile_id)
);

CREATE TABLE IF NOT EXISTS conversations (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted    boolean NOT NULL DEFAULT false,
    user_id    uuid REFERENCES users (id)
);

CREATE TABLE IF NOT EXISTS messages (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id    uuid REFERENCES users (id) ON DELETE SET NULL,
    direction  text NOT NULL CHECK (direction IN ('incoming', 'outgoing')),
    body       text,
    media_url  text,
    created_at timestamptz DEFAULT now()
);

-- The name is misspelt in the live database; other programs depend on it.
CREATE TABLE IF NOT EXISTS "Appoinment" (
    id                 varchar(36) PRIMARY KEY,
    "createdAt"        timestamptz NOT NULL DEFAULT now(),
    "updatedAt"        timestamptz NOT NULL DEFAULT now(),
    "zoomMeetingId"    text NOT NULL,
    topic              text NOT NULL,
    status             text NOT NULL,
    "attendeeName"     text NOT NULL,
    "attendeeEmail"    text NOT NULL,
    "attendeePhone"    text,
    "rawPayload"       jsonb NOT NULL,
    "hostName"         text NOT NULL,
    "hostEmail"        text NOT NULL,
    agenda             text,
    "startTime"        timestamptz,
    duration           integer,
    timezone           text,
    "joinUrl"          text,
    patient_profile_id uuid REFERENCES patient_profiles (id)
);
