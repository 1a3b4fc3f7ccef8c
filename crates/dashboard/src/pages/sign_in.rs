//! Signing in: with a password, by a provider, with a passkey; the second step; and out again.

use actix_web::{HttpRequest, HttpResponse, http::Method, web};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tigertrust_accounts::{LoggedIn, Login, SecondFactorMethods};
use tigertrust_http::{
    ApiError, App,
    page::{self, Body, Page},
};
use tigertrust_wire::{Code, Problem, Provider};

use crate::{
    components::{self, Input, alert, done, input, submit, summary},
    form::{self, Fields, Filled},
    layout, notice, refusal,
    routes::{Like, PathPages, post},
    visitor::{PageResult, Visitor, go_on, local_path, see_other},
};

/// Where people sign in and out.
pub(crate) fn routes() -> Vec<PathPages> {
    let sign_out: Like = (Method::POST, "/api/auth/logout");
    vec![
        (
            "/sign-in",
            vec![
                Page::open(Method::GET, show),
                Page::open(Method::POST, self::sign_in),
            ],
        ),
        ("/sign-in/sso", vec![Page::open(Method::POST, discover)]),
        (
            "/sign-in/second-step",
            vec![
                Page::open(Method::GET, second_step),
                Page::open(Method::POST, prove_second_factor),
            ],
        ),
        (
            "/sign-out",
            vec![Page::like(Method::POST, sign_out, post(self::sign_out))],
        ),
    ]
}

/// The page where people sign in. Who is signed in already goes on.
pub(crate) async fn show(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    let query = Fields::of_query(&request);
    let back = local_path(query.text("return"));
    if page::comes_from_elsewhere(&app, &request) {
        return go_on(&request);
    }
    match page::visitor(&app, &request).await {
        Ok(Some(_)) => see_other(back),
        // Of two sessions none is chosen, and signing in adds no better one.
        Err(error) if error.problem().code == Code::Unauthorized => {
            let error = ApiError::from(Problem::new(
                Code::Unauthorized,
                "Your browser presents two sessions at once. Remove the cookies of this site, and of the sites above it, then sign in.",
            ));
            form_page(&app, &Filled::refused(&query, &error), back, None, Some(&error))
        }
        // A session that cannot be looked up is one more reason to show the page, which says what is wrong once somebody tries.
        _ => form_page(
            &app,
            &Filled::empty(),
            back,
            query.text("done").and_then(notice::text),
            None,
        ),
    }
}

fn form_page(
    app: &App,
    form: &Filled,
    back: &str,
    said: Option<&str>,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let providers: Vec<Provider> = match &app.sso {
        Some(sso) => sso.configured().map(Provider::from).collect(),
        None => Vec::new(),
    };
    let content = html! {
        section.card {
            h1 { "Sign in" }
            @if let Some(text) = said { (done(text)) }
            (summary(form, &["email", "password"]))
            form method="post" action="/sign-in" {
                input type="hidden" name="return" value=(back);
                (input(form, &Input {
                    name: "email", label: "E-mail address", kind: "email", autocomplete: "username", required: true, ..Input::default()
                }))
                (input(form, &Input {
                    name: "password", label: "Password", kind: "password", autocomplete: "current-password", required: true,
                    ..Input::default()
                }))
                (submit("Sign in"))
                @if app.sso.is_some() {
                    button.button type="submit" formaction="/sign-in/sso" formnovalidate { "Use single sign-on" }
                }
            }
            div.with-script hidden data-passkey-sign-in data-return=(back) {
                button.button.wide type="button" { "Sign in with a passkey" }
                p.error role="alert" data-message {}
            }
            @if !providers.is_empty() {
                p.divider { "or" }
                div.stack {
                    @for provider in &providers {
                        a.button.wide href={ (provider.url) "?returnTo=" (utf8_percent_encode(back, NON_ALPHANUMERIC)) } {
                            "Sign in with " (provider.name)
                        }
                    }
                }
            }
            p { a href="/password/forgot" { "Forgotten your password?" } }
        }
    };
    let page = layout::plain("Sign in", &content);
    layout::answer(page, refused)
}

/// Takes an address and a password.
pub(crate) async fn sign_in(app: web::Data<App>, request: HttpRequest, body: Body) -> HttpResponse {
    let fields = match form::of_anybody(&app, &request, body).await {
        Ok(fields) => fields,
        Err(error) => return refusal::page(&error, None),
    };
    let back = local_path(fields.text("return")).to_owned();
    let from = page::from(&app, &request);
    let logged_in = app
        .sign_in
        .login(Login {
            email: fields.or_empty("email"),
            password: fields.raw("password").unwrap_or_default(),
            device: from.device,
            origin: from.origin,
        })
        .await;
    match logged_in {
        Ok(LoggedIn::Session(begun)) => {
            let answered = page::hand_out(&app, &begun, see_other(&back));
            answered.unwrap_or_else(|error| refusal::page(&error, None))
        }
        Ok(LoggedIn::SecondFactor { token, methods }) => {
            second_step_page(&Filled::empty(), Some(token.reveal()), &back, Some(methods), None)
        }
        Err(error) => {
            page::note_refusal(&app, &request, "login refused", &error);
            let error = ApiError::from(error);
            form_page(&app, &Filled::refused(&fields, &error), &back, None, Some(&error))
        }
    }
}

/// Sends somebody to the provider of the address's domain, if it has one.
pub(crate) async fn discover(app: web::Data<App>, request: HttpRequest, body: Body) -> HttpResponse {
    let fields = match form::of_anybody(&app, &request, body).await {
        Ok(fields) => fields,
        Err(error) => return refusal::page(&error, None),
    };
    let back = local_path(fields.text("return"));
    let email = fields.or_empty("email");
    let found = match &app.sso {
        None => Ok(None),
        Some(sso) => sso.discover(email).await.map(|found| found.sso_path),
    };
    let refused: ApiError = match found {
        // The policy on forms would keep a redirect to another site back; a page goes on by itself.
        Ok(Some(path)) => {
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let to = format!("{path}?returnTo={}&loginHint={}", encoded(back), encoded(email));
            return page::go_on("To your provider", &to);
        }
        Ok(None) => Problem::new(
            Code::NotFound,
            if email.is_empty() {
                "Type your e-mail address first: its domain says which provider is yours."
            } else {
                "There is no single sign-on for this address. Sign in with your password."
            },
        )
        .into(),
        Err(error) => error.into(),
    };
    form_page(
        &app,
        &Filled::refused(&fields, &refused),
        back,
        None,
        Some(&refused),
    )
}

/// The second step of somebody whom a provider has signed in: the token is in the fragment of the address.
pub(crate) async fn second_step(request: HttpRequest) -> HttpResponse {
    let query = Fields::of_query(&request);
    second_step_page(
        &Filled::empty(),
        None,
        local_path(query.text("return")),
        None,
        None,
    )
}

fn second_step_page(
    form: &Filled,
    token: Option<&str>,
    back: &str,
    methods: Option<SecondFactorMethods>,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let takes_codes = methods.is_none_or(|methods| methods.totp || methods.recovery_code);
    let takes_passkey = methods.is_some_and(|methods| methods.passkey);
    let content = html! {
        section.card {
            h1 { "One more step" }
            (summary(form, &["code"]))
            @if token.is_none() {
                p.quiet data-without-token { "This is the second half of a sign-in by a provider, and needs JavaScript. If you did not come from there, begin anew." }
            }
            @if takes_codes {
                form method="post" action="/sign-in/second-step" {
                    input type="hidden" name="return" value=(back);
                    input type="hidden" name="token" value=(token.unwrap_or_default()) data-from-fragment[token.is_none()];
                    (input(form, &Input {
                        name: "code", label: "Code", hint: "Of your authenticator app, or one of your recovery codes. There are five tries, within five minutes.",
                        autocomplete: "one-time-code", required: true, ..Input::default()
                    }))
                    (submit("Sign in"))
                }
            }
            @if let (true, Some(token)) = (takes_passkey, token) {
                div.with-script hidden data-passkey-sign-in data-token=(token) data-return=(back) {
                    button.button.wide type="button" { "Use your passkey" }
                    p.error role="alert" data-message {}
                }
                @if !takes_codes { noscript { (alert("Passkeys need JavaScript.")) } }
            }
            p { a href="/sign-in" { "Begin anew" } }
        }
    };
    layout::answer(layout::plain("One more step", &content), refused)
}

/// Takes the code of the second step.
pub(crate) async fn prove_second_factor(
    app: web::Data<App>,
    request: HttpRequest,
    body: Body,
) -> HttpResponse {
    let fields = match form::of_anybody(&app, &request, body).await {
        Ok(fields) => fields,
        Err(error) => return refusal::page(&error, None),
    };
    let (token, back) = (fields.or_empty("token"), local_path(fields.text("return")));
    let origin = page::origin_of(&app, &request);
    let begun = app
        .sign_in
        .verify_second_factor(token, fields.or_empty("code"), origin)
        .await;
    match begun {
        Ok(begun) => {
            let answered = page::hand_out(&app, &begun, see_other(back));
            answered.unwrap_or_else(|error| refusal::page(&error, None))
        }
        Err(error) => {
            page::note_refusal(&app, &request, "second factor refused", &error);
            let error = ApiError::from(error);
            // The refusal is the same whatever is wrong; here it is a code, or the time for it.
            let shown = match error.problem().code {
                Code::Unauthorized => Problem::new(
                    Code::Unauthorized,
                    "The code is not right; or it was the sixth try, or too late: then begin anew.",
                )
                .into(),
                _ => ApiError::from(error.told()),
            };
            let form = Filled::refused(&fields, &shown);
            second_step_page(&form, Some(token), back, None, Some(&error))
        }
    }
}

/// Ends the session.
pub(crate) async fn sign_out(visitor: Visitor, _: Fields) -> PageResult {
    let person = visitor.person();
    visitor.app().sign_in.logout(person, &person.origin()).await?;
    tracing::info!(user = %person.user().id, session = %person.session().id, "signed out");
    let mut response = see_other("/sign-in?done=signed-out");
    page::take_back(visitor.app(), &mut response);
    Ok(response)
}

/// The token of a link. The script fills it in from the address and hides it; who has none, or came without one, pastes the link.
/// Where something else is wrong with the form it goes along, and is not shown again.
pub(super) fn token_field(form: &Filled) -> Markup {
    if form.is_refused_for_other_than_its_token() {
        return html! { input type="hidden" name="token" value=(form.fields.or_empty("token")); };
    }
    html! {
        div.field data-without-token {
            label for="token" { "Link" }
            p.hint id="token-hint" { "Paste the link or the token that you were given." }
            input id="token" name="token" autocomplete="off" aria-describedby="token-hint" data-from-fragment;
            @if let Some(error) = form.error("token") { p.error { (error) } }
        }
    }
}

/// The token that was sent: alone, or within the link that was pasted.
pub(super) fn token_of(fields: &Fields) -> &str {
    let text = fields.or_empty("token");
    match text.rsplit_once("token=") {
        Some((_, token)) => token.split('&').next().unwrap_or_default(),
        None => text,
    }
}

/// A form on a page of nobody in particular.
pub(super) fn plain_form(
    form: &Filled,
    action: &str,
    fields: &[&str],
    content: &Markup,
    button: &str,
) -> Markup {
    html! {
        (components::summary(form, fields))
        form method="post" action=(action) {
            (content)
            (submit(button))
        }
    }
}
