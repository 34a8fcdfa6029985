-- Users 1 … :small have :each messages, user :small + 1 has :big. A conversation has the id of its user.
-- Messages arrive in runs of :run, all conversations growing side by side. Zero for :each and :big leaves them empty.

CREATE FUNCTION numbered(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
$$;

INSERT INTO auth.users (id) SELECT numbered(n) FROM generate_series(1, :small + 1) n;
INSERT INTO pam_conversations (id, user_id, title)
SELECT numbered(n), numbered(n), 'PAM Conversation' FROM generate_series(1, :small + 1) n;

INSERT INTO pam_messages (conversation_id, role, content, created_at)
SELECT numbered(c), CASE WHEN p % 2 = 1 THEN 'user' ELSE 'assistant' END,
       substr(repeat(md5(c || '-' || p), 10), 1, 300),
       now() - interval '30 days' + row_number() OVER () * interval '1 millisecond'
FROM (
    SELECT c, p
    FROM generate_series(1, :small + 1) c
    CROSS JOIN LATERAL (SELECT CASE WHEN c <= :small THEN :each ELSE :big END AS size) s
    CROSS JOIN LATERAL generate_series(1, size) p
    ORDER BY (p - 1) / :run * :run / size::float, c, p
) arriving;

VACUUM ANALYZE;
CHECKPOINT;
