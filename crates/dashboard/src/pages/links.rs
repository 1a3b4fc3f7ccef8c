//! What links in mails lead to: a new password, a proved address, an invitation; and asking for the first of them. The token of a
//! link is in the fragment of its address, which no request carries; without JavaScript the link is pasted.

use actix_web::{HttpRequest, HttpResponse, http::Method, web};
use maud::{Markup, html};
use tigertrust_accounts::{Acceptance, AccountToMake};
use tigertrust_http::{
    ApiError, App,
    page::{self, Body, Page},
};

use super::sign_in::{plain_form, token_field, token_of};
use crate::{
    components::{Input, input},
    form::{self, Fields, Filled},
    layout, refusal,
    routes::PathPages,
    visitor::see_other,
};

/// Where links in mails lead to.
pub(crate) fn routes() -> Vec<PathPages> {
    vec![
        (
            FORGOT.action,
            vec![
                Page::open(Method::GET, forgot),
                Page::open(Method::POST, send_reset),
            ],
        ),
        (
            RESET.action,
            vec![
                Page::open(Method::GET, show_reset),
                Page::open(Method::POST, reset),
            ],
        ),
        (
            VERIFY.action,
            vec![
                Page::open(Method::GET, show_verify),
                Page::open(Method::POST, verify),
            ],
        ),
        (
            INVITATION.action,
            vec![
                Page::open(Method::GET, show_invitation),
                Page::open(Method::POST, accept),
            ],
        ),
    ]
}

/// A page with a form that anybody may send.
struct OpenForm {
    title: &'static str,
    action: &'static str,
    text: &'static str,
    button: &'static str,
    /// The fields that say for themselves what is wrong with them.
    fields: &'static [&'static str],
    content: fn(&Filled) -> Markup,
}

const FORGOT: OpenForm = OpenForm {
    title: "Forgotten your password?",
    action: "/password/forgot",
    text: "You get a mail with a link to set a new one.",
    button: "Send the mail",
    fields: &["email"],
    content: |form| {
        input(
            form,
            &Input {
                name: "email",
                label: "E-mail address",
                kind: "email",
                autocomplete: "username",
                required: true,
                ..Input::default()
            },
        )
    },
};

const RESET: OpenForm = OpenForm {
    title: "Set a new password",
    action: "/password/reset",
    text: "All of your sessions end with it, and you sign in anew.",
    button: "Set password",
    fields: &["newPassword", "token"],
    content: |form| {
        html! {
            (token_field(form))
            (input(form, &Input {
                name: "newPassword", label: "New password", kind: "password", autocomplete: "new-password", required: true,
                hint: "15 characters or more; 8 if your account has a second factor.", ..Input::default()
            }))
        }
    },
};

const VERIFY: OpenForm = OpenForm {
    title: "Confirm your e-mail address",
    action: "/email/verify",
    text: "Your account has this address from then on.",
    button: "Confirm",
    fields: &["token"],
    content: token_field,
};

const INVITATION: OpenForm = OpenForm {
    title: "Accept the invitation",
    action: "/invitations/accept",
    text: "If you have an account, sign in first, then open the link from the mail and accept. If you have none yet, choose a \
           password for it here.",
    button: "Accept",
    fields: &["name", "password", "token"],
    content: |form| {
        html! {
            (token_field(form))
            (input(form, &Input {
                name: "name", label: "Name, for a new account", autocomplete: "name", ..Input::default()
            }))
            (input(form, &Input {
                name: "password", label: "Password, for a new account", kind: "password", autocomplete: "new-password",
                hint: "15 characters or more.", ..Input::default()
            }))
        }
    },
};

impl OpenForm {
    fn page(&self, form: &Filled, refused: Option<&ApiError>) -> HttpResponse {
        let content = html! {
            section.card {
                h1 { (self.title) }
                p { (self.text) }
                (plain_form(form, self.action, self.fields, &(self.content)(form), self.button))
                p { a href="/sign-in" { "To sign in" } }
            }
        };
        layout::answer(layout::plain(self.title, &content), refused)
    }

    fn refused(&self, fields: &Fields, error: impl Into<ApiError>) -> HttpResponse {
        let error = error.into();
        self.page(&Filled::refused(fields, &error), Some(&error))
    }
}

/// Where somebody asks for a link.
pub(crate) async fn forgot(app: web::Data<App>) -> HttpResponse {
    if app.sign_in.sends_mail() {
        return FORGOT.page(&Filled::empty(), None);
    }
    let content = html! {
        section.card {
            h1 { (FORGOT.title) }
            p { "This server sends no mail. Whoever runs it can give you another password:" }
            pre { "tigertrust user reset-password you@example.com" }
            p { a href="/sign-in" { "To sign in" } }
        }
    };
    layout::answer(layout::plain(FORGOT.title, &content), None)
}

/// Sends it, if there is such an account; the answer is the same.
pub(crate) async fn send_reset(app: web::Data<App>, request: HttpRequest, body: Body) -> HttpResponse {
    let fields = match form::of_anybody(&app, &request, body).await {
        Ok(fields) => fields,
        Err(error) => return refusal::page(&error, None),
    };
    let origin = page::origin_of(&app, &request);
    match app
        .sign_in
        .forgot_password(fields.or_empty("email"), &origin)
        .await
    {
        Ok(()) => see_other("/sign-in?done=mail-sent"),
        Err(error) => FORGOT.refused(&fields, error),
    }
}

/// Where a forgotten password is set anew.
pub(crate) async fn show_reset() -> HttpResponse {
    RESET.page(&Filled::empty(), None)
}

/// Sets it.
pub(crate) async fn reset(app: web::Data<App>, request: HttpRequest, body: Body) -> HttpResponse {
    let fields = match form::of_anybody(&app, &request, body).await {
        Ok(fields) => fields,
        Err(error) => return refusal::page(&error, None),
    };
    let password = fields.raw("newPassword").unwrap_or_default();
    let origin = page::origin_of(&app, &request);
    match app
        .sign_in
        .reset_password(token_of(&fields), password, &origin)
        .await
    {
        Ok(user) => {
            tracing::info!(%user, "password reset");
            see_other("/sign-in?done=password-reset")
        }
        Err(error) => {
            page::note_refusal(&app, &request, "password reset refused", &error);
            RESET.refused(&fields, error)
        }
    }
}

/// Where somebody proves an address.
pub(crate) async fn show_verify() -> HttpResponse {
    VERIFY.page(&Filled::empty(), None)
}

/// Takes the proof.
pub(crate) async fn verify(app: web::Data<App>, request: HttpRequest, body: Body) -> HttpResponse {
    let fields = match form::of_anybody(&app, &request, body).await {
        Ok(fields) => fields,
        Err(error) => return refusal::page(&error, None),
    };
    let origin = page::origin_of(&app, &request);
    match app.sign_in.verify_email(token_of(&fields), &origin).await {
        Ok(user) => {
            tracing::info!(%user, "e-mail address proved");
            see_other("/account?done=email-verified")
        }
        Err(error) => {
            page::note_refusal(&app, &request, "proof of an e-mail address refused", &error);
            VERIFY.refused(&fields, error)
        }
    }
}

/// Where an invitation is accepted.
pub(crate) async fn show_invitation() -> HttpResponse {
    INVITATION.page(&Filled::empty(), None)
}

/// Accepts it, for whoever is signed in or for a new account.
pub(crate) async fn accept(app: web::Data<App>, request: HttpRequest, body: Body) -> HttpResponse {
    let fields = match form::of_anybody(&app, &request, body).await {
        Ok(fields) => fields,
        Err(error) => return refusal::page(&error, None),
    };
    let person = match page::visitor(&app, &request).await {
        Ok(person) => person,
        Err(error) => return INVITATION.refused(&fields, error),
    };
    let acceptance = Acceptance {
        token: token_of(&fields),
        person: person.as_ref(),
        account: AccountToMake {
            name: fields.text("name").map(ToOwned::to_owned),
            password: fields.raw("password").filter(|password| !password.is_empty()),
        },
        origin: page::origin_of(&app, &request),
    };
    let accepted = match app.invitations.accept(&app.sign_in, acceptance).await {
        Ok(accepted) => accepted,
        Err(error) => {
            page::note_refusal(&app, &request, "invitation refused", &error);
            return INVITATION.refused(&fields, error);
        }
    };
    let (workspace, role) = (accepted.invitation.workspace, accepted.invitation.role);
    tracing::info!(user = %accepted.user, %workspace, %role, "invitation accepted");
    let to = see_other(&format!("/w/{workspace}?done=joined"));
    match accepted.begun {
        None => to,
        Some(begun) => page::hand_out(&app, &begun, to).unwrap_or_else(|error| refusal::page(&error, None)),
    }
}
