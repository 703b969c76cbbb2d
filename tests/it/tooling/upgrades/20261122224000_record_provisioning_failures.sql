-- A sign-up that got no organization.

insert into app.provisioning_failures (user_id, sqlstate, message)
values ('11111111-0000-4000-8000-00000000000b', '55P03', 'canceling statement due to lock timeout');
