-- POST /hooks/user-created.
select api.provision_user($1::text::uuid, $2::text, $3::text)
