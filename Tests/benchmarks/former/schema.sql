-- The former system: two tables, their indexes, row-level security, the trigger and the three functions.
-- Everything has the names, types and defaults that its programs relied on.

CREATE SCHEMA auth;
CREATE TABLE auth.users (id uuid PRIMARY KEY);

CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('request.jwt.claims', true)::jsonb ->> 'sub', '')::uuid
$$;
CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT current_setting('request.jwt.claims', true)::jsonb ->> 'role'
$$;

CREATE TABLE pam_conversations (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id      uuid NOT NULL UNIQUE REFERENCES auth.users (id) ON DELETE CASCADE,
    session_id   text,
    title        text,
    context_data jsonb DEFAULT '{}',
    created_at   timestamptz DEFAULT now(),
    updated_at   timestamptz DEFAULT now()
);
CREATE INDEX idx_pam_conversations_user_id ON pam_conversations (user_id);
CREATE INDEX idx_pam_conversations_session_id ON pam_conversations (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX idx_pam_conversations_updated_at ON pam_conversations (updated_at DESC);

CREATE TABLE pam_messages (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    conversation_id uuid REFERENCES pam_conversations (id) ON DELETE CASCADE,
    role            text NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
    content         text NOT NULL,
    intent          text,
    confidence      decimal(3, 2),
    entities        jsonb DEFAULT '{}',
    metadata        jsonb DEFAULT '{}',
    created_at      timestamptz DEFAULT now()
);
CREATE INDEX idx_pam_messages_conversation_id ON pam_messages (conversation_id);
CREATE INDEX idx_pam_messages_role ON pam_messages (role);
CREATE INDEX idx_pam_messages_created_at ON pam_messages (created_at DESC);
CREATE INDEX idx_pam_messages_conv_created ON pam_messages (conversation_id, created_at DESC);

ALTER TABLE pam_conversations ENABLE ROW LEVEL SECURITY;
ALTER TABLE pam_messages ENABLE ROW LEVEL SECURITY;

CREATE POLICY owner_manages_conversations ON pam_conversations
    FOR ALL USING (auth.uid() = user_id) WITH CHECK (auth.uid() = user_id);
CREATE POLICY service_manages_conversations ON pam_conversations
    FOR ALL USING (auth.role() = 'service_role');
CREATE POLICY owner_sees_messages ON pam_messages
    FOR SELECT USING (conversation_id IN (SELECT id FROM pam_conversations WHERE user_id = auth.uid()));
CREATE POLICY owner_creates_messages ON pam_messages
    FOR INSERT WITH CHECK (conversation_id IN (SELECT id FROM pam_conversations WHERE user_id = auth.uid()));
CREATE POLICY service_manages_messages ON pam_messages
    FOR ALL USING (auth.role() = 'service_role');

CREATE FUNCTION touch_pam_conversation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
CREATE TRIGGER pam_conversations_updated_at
    BEFORE UPDATE ON pam_conversations FOR EACH ROW EXECUTE FUNCTION touch_pam_conversation();

CREATE FUNCTION get_or_create_pam_conversation(p_user_id uuid, p_session_id text DEFAULT NULL, p_context jsonb DEFAULT '{}')
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    found_id uuid;
BEGIN
    SELECT id INTO found_id FROM pam_conversations WHERE user_id = p_user_id;
    IF found_id IS NULL THEN
        INSERT INTO pam_conversations (user_id, session_id, title, context_data)
        VALUES (p_user_id, p_session_id, 'PAM Conversation', p_context)
        RETURNING id INTO found_id;
    ELSE
        UPDATE pam_conversations SET context_data = p_context WHERE id = found_id;
    END IF;
    RETURN found_id;
END
$$;

CREATE FUNCTION store_pam_message(
    p_conversation_id uuid, p_role text, p_content text, p_intent text DEFAULT NULL,
    p_confidence decimal DEFAULT NULL, p_entities jsonb DEFAULT '{}', p_metadata jsonb DEFAULT '{}')
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    new_id uuid;
BEGIN
    INSERT INTO pam_messages (conversation_id, role, content, intent, confidence, entities, metadata)
    VALUES (p_conversation_id, p_role, p_content, p_intent, p_confidence, p_entities, p_metadata)
    RETURNING id INTO new_id;
    UPDATE pam_conversations SET updated_at = now() WHERE id = p_conversation_id;
    RETURN new_id;
END
$$;

CREATE FUNCTION get_conversation_history(p_user_id uuid, p_limit integer DEFAULT 10)
RETURNS TABLE (role text, content text, intent text, created_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    RETURN QUERY
    SELECT m.role, m.content, m.intent, m.created_at
    FROM pam_messages m
    JOIN pam_conversations c ON c.id = m.conversation_id
    WHERE c.user_id = p_user_id
    ORDER BY m.created_at DESC
    LIMIT p_limit;
END
$$;
