-- PUT /v1/me/active-organization.
select api.set_active_organization($1::text::uuid, $2::text::uuid)
