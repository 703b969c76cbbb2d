-- A credential; what is encrypted here is nothing.

insert into private.integration_secrets (org_id, connection_id, ciphertext)
values ('11111111-0000-4000-8000-000000000001', '44444444-0000-4000-8000-000000000001', '\xc30d04');
