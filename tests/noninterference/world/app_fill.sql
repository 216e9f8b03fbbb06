INSERT INTO auth_user (password, last_login, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
    SELECT 'pbkdf2$' || md5('p' || i), '2030-01-01', i = 1, 'user' || i, 'First' || i, 'Last' || i, substr('abcdef', 1 + i % 6, 1) || 'lias' || i || '@example.com', i < 3, true, '2029-01-01'::timestamptz + i * interval '1 day'
    FROM generate_series(1, 20) i;
INSERT INTO auth_group (name) VALUES ('editors'), ('readers');
INSERT INTO auth_user_groups (user_id, group_id) SELECT i, 1 + i % 2 FROM generate_series(1, 10) i;
INSERT INTO django_session SELECT 'key' || i, 'data', '2031-01-01' FROM generate_series(1, 3) i;
INSERT INTO django_content_type (app_label, model) VALUES ('auth', 'user'), ('blog', 'post'), ('blog', 'tag');
INSERT INTO django_migrations (app, name, applied) VALUES ('auth', '0001_initial', '2029-01-01'), ('blog', '0001_initial', '2029-01-02');
INSERT INTO blog_post (title, slug, body, published, created, views, author_id, data)
    SELECT 'Post ' || i, 'post-' || i, 'Body of ' || i, i % 3 <> 0, '2029-06-01'::timestamptz + i * interval '1 day', i * 10, 1 + i % 5, jsonb_build_object('lang', CASE WHEN i % 2 = 0 THEN 'en' ELSE 'de' END, 'n', i)
    FROM generate_series(1, 30) i;
INSERT INTO blog_tag (name) VALUES ('sql'), ('python'), ('kubernetes');
INSERT INTO blog_post_tags (post_id, tag_id) SELECT i, 1 + i % 3 FROM generate_series(1, 30) i;
INSERT INTO companies (name, country, created_at, updated_at) SELECT 'Company ' || i, substr('DEFRUS', 1 + 2 * (i % 3), 2), '2029-01-01', '2029-01-01' FROM generate_series(1, 5) i;
INSERT INTO users (name, email, encrypted_password, phone, admin, sign_in_count, company_id, created_at, updated_at)
    SELECT 'Name ' || i, substr('abcdefghij', 1 + i % 10, 1) || 'b' || i || '@example.com', md5('e' || i), '+49 30 ' || 100000 + i, i = 1, i % 4, 1 + i % 5, '2029-01-01'::timestamp + i * interval '1 day', '2029-02-01'
    FROM generate_series(1, 40) i;
INSERT INTO products (sku, title, price, category, stock, tags) SELECT 'SKU-' || i, 'Product ' || i, i * 2.5, CASE i % 3 WHEN 0 THEN 'books' WHEN 1 THEN 'tools' ELSE 'toys' END, i * 3, ARRAY['t' || i % 4] FROM generate_series(1, 12) i;
INSERT INTO orders (user_id, status, total, card_number, created_at, updated_at)
    SELECT 1 + i % 40, CASE i % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'paid' ELSE 'sent' END, i * 3.25, '4111 1111 1111 ' || 1000 + i, '2029-03-01'::timestamp + i * interval '6 hours', '2029-04-01'
    FROM generate_series(1, 100) i;
INSERT INTO line_items (order_id, product_id, quantity, price) SELECT 1 + i % 100, 1 + i % 12, 1 + i % 4, i FROM generate_series(1, 200) i;
INSERT INTO schema_migrations VALUES ('20290101000000'), ('20290201000000');
INSERT INTO ar_internal_metadata VALUES ('environment', 'production', '2029-01-01', '2029-01-01');
INSERT INTO account (name, fullname, email, birth_date) SELECT 'acc' || i, 'Account ' || i, substr('klmno', 1 + i % 5, 1) || 'c' || i || '@example.org', '1980-03-04'::date + i * 400 FROM generate_series(1, 15) i;
INSERT INTO address (street, city, account_id) SELECT i || ' Main Street', CASE WHEN i % 2 = 0 THEN 'Berlin' ELSE 'Paris' END, 1 + i % 15 FROM generate_series(1, 30) i;
INSERT INTO alembic_version VALUES ('abc123');
INSERT INTO "User" (email, name, role) SELECT 'prisma' || i || '@example.com', 'P' || i, CASE WHEN i = 1 THEN 'ADMIN' ELSE 'USER' END::"Role" FROM generate_series(1, 10) i;
INSERT INTO "Post" (title, content, published, "authorId") SELECT 'T' || i, 'C' || i, i % 2 = 0, 1 + i % 10 FROM generate_series(1, 20) i;
INSERT INTO "Tag" (label) VALUES ('one'), ('two'), ('three');
INSERT INTO "_PostToTag" SELECT i, 1 + i % 3 FROM generate_series(1, 20) i;
INSERT INTO customer SELECT i, 'F' || i, 'L' || i, 'h' || i || '@example.net', '1970-05-06'::date + i * 300, 0, CASE WHEN i % 2 = 0 THEN 'ACTIVE' ELSE 'BLOCKED' END FROM generate_series(1, 12) i;
INSERT INTO purchase_order SELECT i, 1 + i % 12, '2029-05-01'::timestamp + i * interval '1 day', i * 9.5, 0 FROM generate_series(1, 24) i;
INSERT INTO order_line SELECT 1 + i % 24, i, 'thing ' || i, i FROM generate_series(1, 48) i;
INSERT INTO "Users" ("firstName", email, phone, "createdAt", "updatedAt") SELECT 'S' || i, 's' || i || '@example.com', '+33 1 ' || 200000 + i, '2029-01-01', '2029-01-01' FROM generate_series(1, 10) i;
INSERT INTO "Tasks" (title, done, priority, "UserId", "createdAt", "updatedAt") SELECT 'task ' || i, i % 2 = 0, i % 5, 1 + i % 10, '2029-01-01', '2029-01-01' FROM generate_series(1, 30) i;
INSERT INTO "AspNetUsers" SELECT 'id-' || i, 'net' || i, 'NET' || i, 'n' || i || '@example.com', md5('h' || i), '+1 555 ' || 1000 + i, true, 0 FROM generate_series(1, 8) i;
INSERT INTO "Blogs" ("Url", "Rating", "OwnerId") SELECT 'https://blog.example/' || i, i % 5, 'id-' || 1 + i % 8 FROM generate_series(1, 12) i;
INSERT INTO "Posts" ("Title", "Content", "BlogId") SELECT 'Entry ' || i, 'Text ' || i, 1 + i % 12 FROM generate_series(1, 36) i;
INSERT INTO "__EFMigrationsHistory" VALUES ('20290101_Initial', '9.0.0');
INSERT INTO metrics SELECT '2030-01-01'::timestamptz + i * interval '1 minute', 'host' || i % 3, i % 100, i % 50, 'm' || i % 5 || '@example.com' FROM generate_series(1, 200) i;
