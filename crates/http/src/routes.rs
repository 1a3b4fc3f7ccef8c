//! Every route, and what it needs of its caller.

use actix_web::{
    Handler, HttpRequest, HttpResponse, Resource, Responder, Route, guard,
    http::{Method, header},
    web::{self, ServiceConfig},
};
use tigertrust_credentials::{Charge, Need, WorkspaceNeed};
use tigertrust_model::{Scope, management};
use tigertrust_wire::{Code, Problem};

use crate::{
    audit, auth, changes,
    error::ApiError,
    health, hygiene, invitations, keys, members, openapi,
    page::{Pages, wants_page},
    pages,
    respond::Respond,
    sso, tokens, trust_rules, usage, webhooks, workspaces,
};

/// Who may call an operation.
#[derive(Clone, Debug)]
pub enum Access {
    /// Anybody.
    Anonymous,
    /// A caller that fulfils the need.
    Needs(Need),
    /// A caller that fulfils the need, or the very key that the path names as `{id}`, whatever it may do; or a person, for its
    /// own keys.
    NeedsUnlessItself(Need),
    /// A caller that fulfils the need, or a person, for its own keys.
    NeedsUnlessOwnKeys(Need),
    /// A key that fulfils the need, or whoever shows in the body what a trust rule takes in its place. No person who is signed in.
    NeedsUnlessVouched(Need),
    /// A key that fulfils the need, or any person who is signed in.
    NeedsUnlessPerson(Need),
    /// A person who is signed in.
    People,
    /// A person who is signed in, be it in a session that reaches one workspace alone.
    PeopleAnywhere,
    /// A person who is signed in, also one whose session has called too often.
    PeopleUncounted,
    /// A caller that fulfils the need in the workspace that the path names as `{id}`.
    NeedsInWorkspace(Need),
    /// As [`NeedsInWorkspace`](Self::NeedsInWorkspace), or the very person that the path names as `{userId}`, whatever its
    /// role: its key must hold the scope all the same.
    NeedsInWorkspaceUnlessOneself(Need),
    /// Forward-auth: a caller that fulfils what the query asks for.
    Asked,
}

/// What a person must fulfil to do something with the own account.
static SIGNED_IN: Need = Need::own_account();

/// The same where it reaches beyond any one workspace.
static WHOLLY_SIGNED_IN: Need = Need::whole_account();

impl Access {
    /// What a caller must fulfil, where that stands fast.
    #[must_use]
    pub fn need(&self) -> Option<&Need> {
        match self {
            Self::Needs(need)
            | Self::NeedsUnlessItself(need)
            | Self::NeedsUnlessOwnKeys(need)
            | Self::NeedsUnlessVouched(need)
            | Self::NeedsUnlessPerson(need)
            | Self::NeedsInWorkspace(need)
            | Self::NeedsInWorkspaceUnlessOneself(need) => Some(need),
            Self::People => Some(&WHOLLY_SIGNED_IN),
            Self::PeopleAnywhere | Self::PeopleUncounted => Some(&SIGNED_IN),
            Self::Anonymous | Self::Asked => None,
        }
    }

    /// Whether the path says in which workspace the need is to be fulfilled.
    #[must_use]
    pub const fn is_in_workspace(&self) -> bool {
        matches!(
            self,
            Self::NeedsInWorkspace(_) | Self::NeedsInWorkspaceUnlessOneself(_)
        )
    }

    /// Who may call without fulfilling the need.
    const fn exception(&self) -> Exception {
        match self {
            Self::NeedsUnlessItself(_) => Exception::Itself,
            Self::NeedsUnlessOwnKeys(_) => Exception::OwnKeys,
            Self::NeedsUnlessPerson(_) => Exception::AnyPerson,
            Self::PeopleUncounted => Exception::Uncounted,
            Self::NeedsInWorkspaceUnlessOneself(_) => Exception::Oneself,
            _ => Exception::Nobody,
        }
    }
}

/// One operation of the HTTP contract.
pub struct Operation {
    /// The method; `None` for every method.
    pub method: Option<Method>,
    /// The path, with `{parameters}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    route: Route,
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

    fn answers(&self, method: &Method) -> bool {
        self.method
            .as_ref()
            .is_none_or(|own| own == method || (*own == Method::GET && *method == Method::HEAD))
    }
}

/// What the operations of one path need.
#[derive(Clone)]
pub(crate) struct Needs(Vec<MethodNeed>);

/// What one operation needs.
#[derive(Clone)]
pub(crate) struct MethodNeed {
    method: Option<Method>,
    /// What a caller must fulfil.
    pub(crate) need: Need,
    /// Whether the path says in which workspace.
    pub(crate) is_in_workspace: bool,
    /// Who may call without fulfilling it.
    pub(crate) exception: Exception,
}

impl MethodNeed {
    /// What a method needs where an operation has the access; none where anybody may call it.
    pub(crate) fn of(method: Option<&Method>, access: &Access, is_in_workspace: bool) -> Option<Self> {
        Some(Self {
            method: method.cloned(),
            need: access.need()?.clone(),
            is_in_workspace,
            exception: access.exception(),
        })
    }
}

/// Who may call an operation without fulfilling its need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exception {
    /// No one.
    Nobody,
    /// The key that the path names as `{id}`, and people for their own keys.
    Itself,
    /// People, for their own keys.
    OwnKeys,
    /// Any person who is signed in.
    AnyPerson,
    /// A key of the person that the path names as `{userId}`, if it holds the scope.
    Oneself,
    /// Whoever is signed in, however often the session has called.
    Uncounted,
}

impl Needs {
    pub(crate) const fn new(of_methods: Vec<MethodNeed>) -> Self {
        Self(of_methods)
    }

    pub(crate) fn of(&self, method: &Method) -> Option<&MethodNeed> {
        let method = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        self.0.iter().find(|own| own.method.as_ref() == Some(method))
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

/// Mounts every operation. The application must hold a `web::Data<App>`.
pub fn configure(config: &mut ServiceConfig) {
    let scope = web::scope("").wrap(Respond);
    config.service(scope.configure(|config| mount(config, None)));
}

/// Mounts pages and every operation: as [`configure`], with pages beside the API.
pub fn configure_with(pages: Pages) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let scope = web::scope("").wrap(Respond);
        config.service(scope.configure(|config| mount(config, Some(pages))));
    }
}

/// Mounts every operation, and pages, to be wrapped in [`Respond`].
///
/// The operations come first, and the busiest first of all: the router tries one path after the other, and one with a variable in
/// it costs more than all else that a check does.
pub(crate) fn mount(config: &mut ServiceConfig, pages: Option<Pages>) {
    let mut operations = operations().into_iter().peekable();
    while let Some(first) = operations.next() {
        let mut of_path = vec![first];
        while let Some(next) = operations.next_if(|next| of_path.iter().any(|known| known.path == next.path))
        {
            of_path.push(next);
        }
        config.service(resource(of_path));
    }
    // Before what stands in their place where there are none.
    if let Some(pages) = pages {
        config.app_data(pages);
        (pages.mount)(config);
    }
    openapi::mount_ui(config);
    pages::mount(config);
    config.default_service(web::to(not_found));
}

fn resource(operations: Vec<Operation>) -> Resource {
    let path = operations.first().map_or("", |operation| operation.path);
    let needs = operations
        .iter()
        .filter_map(|operation| {
            let access = &operation.access;
            MethodNeed::of(operation.method.as_ref(), access, access.is_in_workspace())
        })
        .collect();
    let allow = allowed(|method| operations.iter().any(|operation| operation.answers(method)));
    operations
        .into_iter()
        .fold(
            web::resource(path).app_data(Needs::new(needs)),
            |resource, operation| resource.route(operation.route),
        )
        .default_service(web::to(move |request| method_not_allowed(request, allow.clone())))
}

/// The value of `Allow` (RFC 9110 §10.2.1).
pub(crate) fn allowed(answers: impl Fn(&Method) -> bool) -> String {
    [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ]
    .iter()
    .filter(|method| answers(method))
    .map(Method::as_str)
    .collect::<Vec<_>>()
    .join(", ")
}

pub(crate) async fn method_not_allowed(request: HttpRequest, allow: String) -> HttpResponse {
    let detail = format!("This route knows the methods {allow}.");
    let mut response = refused(&request, &Problem::new(Code::MethodNotAllowed, detail).into());
    if let Ok(allow) = header::HeaderValue::from_str(&allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

async fn not_found(request: HttpRequest) -> HttpResponse {
    refused(
        &request,
        &Problem::new(Code::NotFound, "There is no such route.").into(),
    )
}

/// On a page, for whoever reads one.
fn refused(request: &HttpRequest, error: &ApiError) -> HttpResponse {
    use actix_web::ResponseError as _;
    match request.app_data::<Pages>() {
        Some(pages) if wants_page(request) => (pages.refused)(error),
        _ => error.error_response(),
    }
}
