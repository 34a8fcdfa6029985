--
-- PostgreSQL database dump
--

\restrict ZdhbeHYMCfGVpm53yBPCP9qBZmIkzYRkf3LWgfCAz1D8ftPpoAGc9PkT0iOOwsp

-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: public; Type: SCHEMA; Schema: -; Owner: -
--

-- *not* creating schema, since initdb creates it


--
-- Name: SCHEMA public; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA public IS '';


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: notes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.notes (
    id integer,
    body text
);


--
-- Name: add_note(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.add_note(p text) RETURNS integer
    LANGUAGE sql
    BEGIN ATOMIC
 INSERT INTO public.notes (id, body)
   VALUES (1, add_note.p);
 SELECT
         CASE
             WHEN (p = ''::text) THEN 1
             ELSE 2
         END AS "case";
END;


--
-- Name: store_note(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.store_note(p text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  INSERT INTO public.pam_messages VALUES ('x'; -- no statement of the file's
  -- it's not closed
END $$;


--
-- Name: pam_conversations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.pam_conversations (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid,
    session_id text,
    title text,
    context_data jsonb DEFAULT '{}'::jsonb,
    created_at timestamp with time zone DEFAULT now(),
    updated_at timestamp with time zone DEFAULT now()
);


--
-- Name: pam_messages; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.pam_messages (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    conversation_id uuid,
    role text NOT NULL,
    content text NOT NULL,
    intent text,
    confidence numeric(3,2),
    entities jsonb DEFAULT '{}'::jsonb,
    metadata jsonb DEFAULT '{}'::jsonb,
    created_at timestamp with time zone DEFAULT now(),
    CONSTRAINT pam_messages_role_check CHECK ((role = ANY (ARRAY['user'::text, 'assistant'::text, 'system'::text])))
);


--
-- Name: TABLE pam_messages; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.pam_messages IS 'INSERT INTO public.pam_messages VALUES (1);';


--
-- Data for Name: notes; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.notes VALUES (1, 'a;b
''INSERT INTO');
INSERT INTO public.notes VALUES (2, NULL);


--
-- Data for Name: pam_conversations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.pam_conversations VALUES ('00000000-0000-4000-8000-00000000000a', '10000000-0000-4000-8000-000000000001', NULL, 'PAM Conversation', '{"n": [1, 2.50, null], "theme": "it''s \"dark\""}', '2026-11-22 13:00:00+00', '2026-11-22 14:00:00.5+00');
INSERT INTO public.pam_conversations VALUES ('00000000-0000-4000-8000-00000000000b', '10000000-0000-4000-8000-000000000002', 'session-b', NULL, NULL, '2026-11-22 13:00:00+00', NULL);


--
-- Data for Name: pam_messages; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.pam_messages VALUES ('00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-00000000000b', 'user', 'of the other', 'ask', 0.90, '{}', '{}', '2026-11-22 13:34:24.877756+00');
INSERT INTO public.pam_messages VALUES ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-00000000000a', 'assistant', 'It''s a "quote"; and (brackets), \N \. \\ \t
second line
\.
fourth	after a tab
end', NULL, 0.50, NULL, '{"k": "a\"b\\c"}', '2026-11-22 13:34:24.877756+00');
INSERT INTO public.pam_messages VALUES ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-00000000000a', 'user', 'Grüße 👩‍👩‍👧 日本語', 'greet', 1.00, '{"names": ["O''Neil", "tab\there"]}', NULL, '2026-11-22 13:34:24.877756+00');
INSERT INTO public.pam_messages VALUES ('00000000-0000-4000-8000-000000000004', '00000000-0000-4000-8000-00000000000b', 'assistant', 'INSERT INTO public.pam_messages VALUES (''x''); -- $$ /* */', NULL, NULL, '{}', '{}', '2026-11-22 13:34:25+00');
INSERT INTO public.pam_messages VALUES ('00000000-0000-4000-8000-000000000005', '00000000-0000-4000-8000-00000000000a', 'system', '\restrict
--
/* not closed', NULL, NULL, '{}', '{}', '2026-11-22 12:00:00+00');


--
-- Name: pam_conversations pam_conversations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pam_conversations
    ADD CONSTRAINT pam_conversations_pkey PRIMARY KEY (id);


--
-- Name: pam_conversations pam_conversations_user_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pam_conversations
    ADD CONSTRAINT pam_conversations_user_id_key UNIQUE (user_id);


--
-- Name: pam_messages pam_messages_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pam_messages
    ADD CONSTRAINT pam_messages_pkey PRIMARY KEY (id);


--
-- Name: idx_pam_messages_conv_created; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idx_pam_messages_conv_created ON public.pam_messages USING btree (conversation_id, created_at DESC);


--
-- Name: pam_messages pam_messages_conversation_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pam_messages
    ADD CONSTRAINT pam_messages_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.pam_conversations(id) ON DELETE CASCADE;


--
-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: -
--

REVOKE USAGE ON SCHEMA public FROM PUBLIC;


--
-- PostgreSQL database dump complete
--

\unrestrict ZdhbeHYMCfGVpm53yBPCP9qBZmIkzYRkf3LWgfCAz1D8ftPpoAGc9PkT0iOOwsp

