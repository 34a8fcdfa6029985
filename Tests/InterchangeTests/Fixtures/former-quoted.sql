--
-- PostgreSQL database dump
--

\restrict DviyOdofbkft8a7VQwLCseo4WTuKKE1zKliajGmyDMwosAYpjYugloen9FiyOQz

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
-- Data for Name: notes; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO "public"."notes" VALUES
	(1, 'a;b
''INSERT INTO'),
	(2, NULL);


--
-- Data for Name: pam_conversations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO "public"."pam_conversations" VALUES
	('00000000-0000-4000-8000-00000000000a', '10000000-0000-4000-8000-000000000001', NULL, 'PAM Conversation', '{"n": [1, 2.50, null], "theme": "it''s \"dark\""}', '2026-11-22 18:30:00+05:30', '2026-11-22 19:30:00.5+05:30'),
	('00000000-0000-4000-8000-00000000000b', '10000000-0000-4000-8000-000000000002', 'session-b', NULL, NULL, '2026-11-22 18:30:00+05:30', NULL);


--
-- Data for Name: pam_messages; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO "public"."pam_messages" VALUES
	('00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-00000000000b', 'user', 'of the other', 'ask', 0.90, '{}', '{}', '2026-11-22 19:04:24.877756+05:30'),
	('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-00000000000a', 'assistant', 'It''s a "quote"; and (brackets), \N \. \\ \t
second line
\.
fourth	after a tab
end', NULL, 0.50, NULL, '{"k": "a\"b\\c"}', '2026-11-22 19:04:24.877756+05:30');
INSERT INTO "public"."pam_messages" VALUES
	('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-00000000000a', 'user', 'Grüße 👩‍👩‍👧 日本語', 'greet', 1.00, '{"names": ["O''Neil", "tab\there"]}', NULL, '2026-11-22 19:04:24.877756+05:30'),
	('00000000-0000-4000-8000-000000000004', '00000000-0000-4000-8000-00000000000b', 'assistant', 'INSERT INTO public.pam_messages VALUES (''x''); -- $$ /* */', NULL, NULL, '{}', '{}', '2026-11-22 19:04:25+05:30');
INSERT INTO "public"."pam_messages" VALUES
	('00000000-0000-4000-8000-000000000005', '00000000-0000-4000-8000-00000000000a', 'system', '\restrict
--
/* not closed', NULL, NULL, '{}', '{}', '2026-11-22 17:30:00+05:30');


--
-- PostgreSQL database dump complete
--

\unrestrict DviyOdofbkft8a7VQwLCseo4WTuKKE1zKliajGmyDMwosAYpjYugloen9FiyOQz

