//! Every route, and what it needs of its caller.

use actix_web::{Handler, Responder, Route, guard, http::Method, web};
use tigertrust_credentials::{Charge, Need, WorkspaceNeed};
use tigertrust_model::{Scope, management};

use crate::{
    access::Access, audit, auth, changes, health, hygiene, invitations, keys, members, openapi, sso, tokens,
    trust_rules, usage, webhooks, workspaces,
};

/// One operation of the HTTP contract.
pub struct Operation {
    /// The method; `None` for every method.
    pub method: Option<Method>,
    /// The path, with `{parameters}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    pub(crate) route: Route,
}

impl Operation {
    fn new<F, Args>(method: Method, path: &'static str, access: Access, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        // RFC 9110 §9.3.2: HEAD is GET without the content.
        let route = match method {
            Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
            _ => web::method(method.clone()),
        };
        Self {
            method: Some(method),
            path,
            access,
            route: route.to(handler),
        }
    }

    pub(crate) fn answers(&self, method: &Method) -> bool {
        self.method
            .as_ref()
            .is_none_or(|own| own == method || (*own == Method::GET && *method == Method::HEAD))
    }
}

fn people<F, Args>(method: Method, path: &'static str, handler: F) -> Operation
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Operation::new(method, path, Access::People, handler)
}

fn anonymous<F, Args>(method: Method, path: &'static str, handler: F) -> Operation
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Operation::new(method, path, Access::Anonymous, handler)
}

/// For who reads in a workspace, or as an instance key in none.
fn of_instance_too<F, Args>(method: Method, path: &'static str, scope: Scope, handler: F) -> Operation
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let need = Need {
        workspace: WorkspaceNeed::Optional,
        ..Need::management(scope)
    };
    Operation::new(method, path, Access::Needs(need), handler)
}

/// What whoever asks about keys of others must fulfil.
pub(crate) fn verifies() -> Need {
    Need {
        workspace: WorkspaceNeed::Optional,
        charge: Charge::Verify,
        ..Need::management(management::KEYS_VERIFY)
    }
}

/// Every operation, those of one path in a row.
#[must_use]
pub fn operations() -> Vec<Operation> {
    let management = |scope| Access::Needs(Need::management(scope));
    let in_workspace = |scope| Access::NeedsInWorkspace(Need::management(scope));
    vec![
        // Paths are tried in this order, so that those that are asked for most stand first.
        Operation {
            method: None,
            path: "/api/auth/check",
            access: Access::Asked,
            route: web::route().to(auth::check::check),
        },
        Operation::new(
            Method::POST,
            "/api/keys/verify",
            Access::Needs(verifies()),
            keys::verify,
        ),
        Operation::new(
            Method::POST,
            "/api/tokens",
            Access::NeedsUnlessVouched(tokens::exchanges()),
            tokens::exchange,
        ),
        anonymous(Method::GET, "/.well-known/jwks.json", tokens::key_set),
        Operation::new(Method::GET, "/healthz", Access::Anonymous, health::live),
        Operation::new(Method::GET, "/readyz", Access::Anonymous, health::ready),
        Operation::new(Method::GET, "/openapi.json", Access::Anonymous, openapi::serve),
        Operation::new(
            Method::GET,
            "/api/auth/me",
            Access::Needs(Need::own_account()),
            auth::me::show,
        ),
        people(Method::PATCH, "/api/auth/me", auth::profile::update),
        people(Method::DELETE, "/api/auth/me", auth::profile::erase),
        people(Method::GET, "/api/auth/me/export", auth::profile::export),
        Operation::new(
            Method::POST,
            "/api/auth/login",
            Access::Anonymous,
            auth::login::login,
        ),
        Operation::new(
            Method::POST,
            "/api/auth/verify-2fa",
            Access::Anonymous,
            auth::login::verify_second_factor,
        ),
        Operation::new(
            Method::POST,
            "/api/auth/discover",
            Access::Anonymous,
            sso::sign_in::discover,
        ),
        Operation::new(
            Method::POST,
            "/api/auth/password/forgot",
            Access::Anonymous,
            auth::links::forgot_password,
        ),
        Operation::new(
            Method::POST,
            "/api/auth/password/reset",
            Access::Anonymous,
            auth::links::reset_password,
        ),
        Operation::new(
            Method::POST,
            "/api/auth/email/verify",
            Access::Anonymous,
            auth::links::verify_email,
        ),
        people(Method::POST, "/api/auth/email/change", auth::links::change_email),
        Operation::new(
            Method::POST,
            "/api/auth/passkeys/login/start",
            Access::Anonymous,
            auth::passkeys::start_login,
        ),
        Operation::new(
            Method::POST,
            "/api/auth/passkeys/login/finish",
            Access::Anonymous,
            auth::passkeys::finish_login,
        ),
        // Whoever finds a session misused must be able to end it.
        Operation::new(
            Method::POST,
            "/api/auth/logout",
            Access::PeopleUncounted,
            auth::login::logout,
        ),
        people(Method::GET, "/api/auth/sessions", auth::sessions::list),
        people(Method::DELETE, "/api/auth/sessions", auth::sessions::end_others),
        people(Method::DELETE, "/api/auth/sessions/{id}", auth::sessions::end),
        Operation::new(
            Method::POST,
            "/api/auth/step-up",
            Access::PeopleAnywhere,
            auth::sessions::step_up,
        ),
        people(Method::PUT, "/api/auth/password", auth::sessions::change_password),
        people(Method::POST, "/api/auth/2fa/totp", auth::sessions::add_totp),
        people(Method::DELETE, "/api/auth/2fa/totp", auth::sessions::remove_totp),
        people(
            Method::POST,
            "/api/auth/2fa/totp/confirm",
            auth::sessions::confirm_totp,
        ),
        people(
            Method::POST,
            "/api/auth/2fa/recovery-codes",
            auth::sessions::renew_recovery_codes,
        ),
        people(Method::GET, "/api/auth/passkeys", auth::passkeys::list),
        people(
            Method::POST,
            "/api/auth/passkeys/register/start",
            auth::passkeys::start_registration,
        ),
        people(
            Method::POST,
            "/api/auth/passkeys/register/finish",
            auth::passkeys::finish_registration,
        ),
        people(Method::PATCH, "/api/auth/passkeys/{id}", auth::passkeys::rename),
        people(Method::DELETE, "/api/auth/passkeys/{id}", auth::passkeys::remove),
        Operation::new(
            Method::GET,
            "/api/keys",
            Access::NeedsUnlessOwnKeys(Need::management(management::KEYS_READ)),
            keys::list,
        ),
        Operation::new(
            Method::POST,
            "/api/keys",
            management(management::KEYS_WRITE),
            keys::create,
        ),
        Operation::new(
            Method::POST,
            "/api/keys/import",
            management(management::KEYS_WRITE),
            keys::import,
        ),
        Operation::new(
            Method::POST,
            "/api/keys/report-leak",
            Access::Anonymous,
            keys::report_leak,
        ),
        Operation::new(
            Method::GET,
            "/api/keys/hygiene",
            Access::NeedsUnlessOwnKeys(Need::management(management::KEYS_READ)),
            hygiene::report,
        ),
        Operation::new(
            Method::GET,
            "/api/keys/{id}/usage",
            management(management::USAGE_READ),
            usage::of_key,
        ),
        Operation::new(
            Method::GET,
            "/api/usage",
            management(management::USAGE_READ),
            usage::of_all,
        ),
        Operation::new(
            Method::GET,
            "/api/keys/{id}",
            Access::NeedsUnlessOwnKeys(Need::management(management::KEYS_READ)),
            keys::show,
        ),
        Operation::new(
            Method::PATCH,
            "/api/keys/{id}",
            management(management::KEYS_WRITE),
            keys::update,
        ),
        Operation::new(
            Method::POST,
            "/api/keys/{id}/rotate",
            management(management::KEYS_WRITE),
            keys::rotate,
        ),
        Operation::new(
            Method::POST,
            "/api/keys/{id}/revoke",
            Access::NeedsUnlessItself(Need::management(management::KEYS_WRITE)),
            keys::revoke,
        ),
        Operation::new(
            Method::GET,
            "/api/keys/{id}/trust-rules",
            Access::NeedsUnlessOwnKeys(Need::management(management::KEYS_READ)),
            trust_rules::list,
        ),
        Operation::new(
            Method::POST,
            "/api/keys/{id}/trust-rules",
            management(management::KEYS_WRITE),
            trust_rules::create,
        ),
        Operation::new(
            Method::GET,
            "/api/keys/{id}/trust-rules/{ruleId}",
            Access::NeedsUnlessOwnKeys(Need::management(management::KEYS_READ)),
            trust_rules::show,
        ),
        Operation::new(
            Method::DELETE,
            "/api/keys/{id}/trust-rules/{ruleId}",
            management(management::KEYS_WRITE),
            trust_rules::remove,
        ),
        of_instance_too(
            Method::GET,
            "/api/audit/events",
            management::AUDIT_READ,
            audit::list,
        ),
        of_instance_too(
            Method::GET,
            "/api/audit/export",
            management::AUDIT_READ,
            audit::export,
        ),
        of_instance_too(
            Method::GET,
            "/api/audit/checkpoint",
            management::AUDIT_READ,
            audit::checkpoint,
        ),
        Operation::new(
            Method::GET,
            "/api/changes",
            Access::Needs(Need {
                workspace: WorkspaceNeed::Optional,
                ..Need::management(management::KEYS_VERIFY)
            }),
            changes::follow,
        ),
        Operation::new(
            Method::GET,
            "/api/workspaces",
            Access::NeedsUnlessPerson(Need {
                workspace: WorkspaceNeed::Optional,
                ..Need::management(management::WORKSPACE_READ)
            }),
            workspaces::list,
        ),
        Operation::new(
            Method::POST,
            "/api/workspaces",
            Access::NeedsUnlessPerson(Need {
                workspace: WorkspaceNeed::Optional,
                ..Need::management(management::WORKSPACE_WRITE)
            }),
            workspaces::create,
        ),
        Operation::new(
            Method::GET,
            "/api/workspaces/{id}",
            in_workspace(management::WORKSPACE_READ),
            workspaces::show,
        ),
        Operation::new(
            Method::PATCH,
            "/api/workspaces/{id}",
            in_workspace(management::WORKSPACE_WRITE),
            workspaces::update,
        ),
        Operation::new(
            Method::DELETE,
            "/api/workspaces/{id}",
            in_workspace(management::WORKSPACE_WRITE),
            workspaces::delete,
        ),
        Operation::new(
            Method::GET,
            "/api/workspaces/{id}/members",
            in_workspace(management::MEMBERS_READ),
            members::list,
        ),
        Operation::new(
            Method::POST,
            "/api/workspaces/{id}/members",
            in_workspace(management::MEMBERS_WRITE),
            members::add,
        ),
        Operation::new(
            Method::GET,
            "/api/workspaces/{id}/members/{userId}",
            in_workspace(management::MEMBERS_READ),
            members::show,
        ),
        Operation::new(
            Method::PATCH,
            "/api/workspaces/{id}/members/{userId}",
            in_workspace(management::MEMBERS_WRITE),
            members::update,
        ),
        Operation::new(
            Method::DELETE,
            "/api/workspaces/{id}/members/{userId}",
            Access::NeedsInWorkspaceUnlessOneself(Need::management(management::MEMBERS_WRITE)),
            members::remove,
        ),
        Operation::new(
            Method::GET,
            "/api/workspaces/{id}/invitations",
            in_workspace(management::MEMBERS_READ),
            invitations::list,
        ),
        Operation::new(
            Method::POST,
            "/api/workspaces/{id}/invitations",
            in_workspace(management::MEMBERS_WRITE),
            invitations::invite,
        ),
        Operation::new(
            Method::DELETE,
            "/api/workspaces/{id}/invitations/{invitationId}",
            in_workspace(management::MEMBERS_WRITE),
            invitations::revoke,
        ),
        anonymous(Method::GET, "/api/auth/providers", sso::sign_in::providers),
        anonymous(Method::GET, "/api/auth/google", sso::sign_in::begin),
        anonymous(Method::GET, "/api/auth/google/callback", sso::sign_in::callback),
        anonymous(
            Method::POST,
            "/api/auth/google/backchannel-logout",
            sso::sign_in::backchannel_logout,
        ),
        anonymous(Method::GET, "/api/auth/azure", sso::sign_in::begin),
        anonymous(Method::GET, "/api/auth/azure/callback", sso::sign_in::callback),
        anonymous(
            Method::POST,
            "/api/auth/azure/backchannel-logout",
            sso::sign_in::backchannel_logout,
        ),
        anonymous(Method::GET, "/api/auth/okta", sso::sign_in::begin),
        anonymous(Method::GET, "/api/auth/okta/callback", sso::sign_in::callback),
        anonymous(
            Method::POST,
            "/api/auth/okta/backchannel-logout",
            sso::sign_in::backchannel_logout,
        ),
        anonymous(Method::GET, "/api/auth/oidc/{slug}", sso::sign_in::begin),
        anonymous(
            Method::GET,
            "/api/auth/oidc/{slug}/callback",
            sso::sign_in::callback,
        ),
        anonymous(
            Method::POST,
            "/api/auth/oidc/{slug}/backchannel-logout",
            sso::sign_in::backchannel_logout,
        ),
        anonymous(Method::GET, "/api/auth/saml/{slug}", sso::sign_in::begin),
        anonymous(Method::POST, "/api/auth/saml/{slug}/acs", sso::sign_in::acs),
        anonymous(
            Method::GET,
            "/api/auth/saml/{slug}/metadata",
            sso::sign_in::metadata,
        ),
        people(Method::GET, "/api/auth/identities", sso::identities::list),
        people(Method::POST, "/api/auth/identities", sso::identities::connect),
        people(
            Method::DELETE,
            "/api/auth/identities/{id}",
            sso::identities::disconnect,
        ),
        Operation::new(
            Method::GET,
            "/api/workspaces/{id}/sso-connections",
            in_workspace(management::SSO_WRITE),
            sso::connections::list,
        ),
        Operation::new(
            Method::POST,
            "/api/workspaces/{id}/sso-connections",
            in_workspace(management::SSO_WRITE),
            sso::connections::create,
        ),
        Operation::new(
            Method::GET,
            "/api/workspaces/{id}/sso-connections/{connectionId}",
            in_workspace(management::SSO_WRITE),
            sso::connections::show,
        ),
        Operation::new(
            Method::PATCH,
            "/api/workspaces/{id}/sso-connections/{connectionId}",
            in_workspace(management::SSO_WRITE),
            sso::connections::update,
        ),
        Operation::new(
            Method::DELETE,
            "/api/workspaces/{id}/sso-connections/{connectionId}",
            in_workspace(management::SSO_WRITE),
            sso::connections::remove,
        ),
        Operation::new(
            Method::POST,
            "/api/workspaces/{id}/sso-connections/{connectionId}/test",
            in_workspace(management::SSO_WRITE),
            sso::connections::test,
        ),
        Operation::new(
            Method::POST,
            "/api/workspaces/{id}/sso-connections/{connectionId}/refresh",
            in_workspace(management::SSO_WRITE),
            sso::connections::refresh,
        ),
        Operation::new(
            Method::POST,
            "/api/workspaces/{id}/sso-connections/{connectionId}/scim-token",
            in_workspace(management::SSO_WRITE),
            sso::connections::create_scim_token,
        ),
        Operation::new(
            Method::DELETE,
            "/api/workspaces/{id}/sso-connections/{connectionId}/scim-token",
            in_workspace(management::SSO_WRITE),
            sso::connections::remove_scim_token,
        ),
        Operation::new(
            Method::GET,
            "/api/workspaces/{id}/domains",
            in_workspace(management::SSO_WRITE),
            sso::domains::list,
        ),
        Operation::new(
            Method::POST,
            "/api/workspaces/{id}/domains",
            in_workspace(management::SSO_WRITE),
            sso::domains::claim,
        ),
        Operation::new(
            Method::PATCH,
            "/api/workspaces/{id}/domains/{domain}",
            in_workspace(management::SSO_WRITE),
            sso::domains::update,
        ),
        Operation::new(
            Method::DELETE,
            "/api/workspaces/{id}/domains/{domain}",
            in_workspace(management::SSO_WRITE),
            sso::domains::remove,
        ),
        Operation::new(
            Method::POST,
            "/api/workspaces/{id}/domains/{domain}/verify",
            in_workspace(management::SSO_WRITE),
            sso::domains::verify,
        ),
        Operation::new(
            Method::GET,
            "/api/workspaces/{id}/webhooks",
            in_workspace(management::WORKSPACE_WRITE),
            webhooks::list,
        ),
        Operation::new(
            Method::POST,
            "/api/workspaces/{id}/webhooks",
            in_workspace(management::WORKSPACE_WRITE),
            webhooks::create,
        ),
        Operation::new(
            Method::GET,
            "/api/workspaces/{id}/webhooks/{webhookId}",
            in_workspace(management::WORKSPACE_WRITE),
            webhooks::show,
        ),
        Operation::new(
            Method::PATCH,
            "/api/workspaces/{id}/webhooks/{webhookId}",
            in_workspace(management::WORKSPACE_WRITE),
            webhooks::update,
        ),
        Operation::new(
            Method::DELETE,
            "/api/workspaces/{id}/webhooks/{webhookId}",
            in_workspace(management::WORKSPACE_WRITE),
            webhooks::remove,
        ),
        Operation::new(
            Method::POST,
            "/api/workspaces/{id}/webhooks/{webhookId}/rotate-secret",
            in_workspace(management::WORKSPACE_WRITE),
            webhooks::rotate_secret,
        ),
        Operation::new(
            Method::POST,
            "/api/workspaces/{id}/webhooks/{webhookId}/test",
            in_workspace(management::WORKSPACE_WRITE),
            webhooks::test,
        ),
        Operation::new(
            Method::GET,
            "/api/workspaces/{id}/webhooks/{webhookId}/deliveries",
            in_workspace(management::WORKSPACE_WRITE),
            webhooks::deliveries,
        ),
        Operation::new(
            Method::POST,
            "/api/workspaces/{id}/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver",
            in_workspace(management::WORKSPACE_WRITE),
            webhooks::redeliver,
        ),
        // The token of a connection is asked for, which opens nothing else.
        anonymous(Method::GET, "/api/scim/v2/Users", sso::scim::list),
        anonymous(Method::POST, "/api/scim/v2/Users", sso::scim::create),
        anonymous(Method::GET, "/api/scim/v2/Users/{id}", sso::scim::show),
        anonymous(Method::PUT, "/api/scim/v2/Users/{id}", sso::scim::replace),
        anonymous(Method::PATCH, "/api/scim/v2/Users/{id}", sso::scim::patch),
        anonymous(Method::DELETE, "/api/scim/v2/Users/{id}", sso::scim::remove),
        anonymous(
            Method::GET,
            "/api/scim/v2/ServiceProviderConfig",
            sso::scim::configuration,
        ),
        anonymous(
            Method::GET,
            "/api/scim/v2/ResourceTypes",
            sso::scim::resource_types,
        ),
        anonymous(Method::GET, "/api/scim/v2/Schemas", sso::scim::schemas),
        Operation::new(
            Method::POST,
            "/api/invitations/accept",
            Access::Anonymous,
            invitations::accept,
        ),
    ]
}
