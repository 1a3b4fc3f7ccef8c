//! Every page, and which operation of the API it is like: whoever may call that may see it.

use std::future::Future;

use actix_web::{Handler, HttpResponse, Resource, http::Method, web::ServiceConfig};
use tigertrust_http::{
    ApiError, Operation, operations,
    page::{self, Body, Page},
};
use tigertrust_wire::Code;

use crate::{
    assets,
    form::{self, Fields, FormError, MAX_FORM, MAX_FORM_WITH_DOCUMENT, ONCE},
    pages::{
        audit, key, keys, links, members, overview, profile, proof, security, sign_in, sso, trust_rules,
        webhooks, workspaces,
    },
    refusal,
    visitor::{PageResult, Visitor, see_other},
};

/// The operation that a page is like.
pub(crate) type Like = (Method, &'static str);

/// Mounts every page.
pub(crate) fn mount(config: &mut ServiceConfig) {
    let operations = operations();
    for (path, pages) in table() {
        config.service(resource(path, &operations, pages));
    }
    assets::mount(config);
}

fn resource(path: &str, operations: &[Operation], pages: Vec<Page>) -> Resource {
    page::page(path, operations, pages)
}

/// A path with its pages.
pub(crate) type PathPages = (&'static str, Vec<Page>);

/// Every path with its pages.
pub(crate) fn table() -> Vec<PathPages> {
    [
        sign_in::routes(),
        links::routes(),
        proof::routes(),
        overview::routes(),
        keys::routes(),
        key::routes(),
        trust_rules::routes(),
        members::routes(),
        workspaces::routes(),
        sso::routes(),
        webhooks::routes(),
        audit::routes(),
        profile::routes(),
        security::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A page at a path that is only looked at.
pub(crate) fn shown<F, Answer>(path: &'static str, like: Like, show: F) -> PathPages
where
    F: Fn(Visitor) -> Answer + Clone + 'static,
    Answer: Future<Output = PageResult> + 'static,
{
    (path, vec![Page::like(Method::GET, like, get(show))])
}

/// A page at a path with the form that it sends there. Both need what the act needs.
pub(crate) fn asked<S, Shown, A, Acted>(path: &'static str, like: Like, show: S, act: A) -> PathPages
where
    S: Fn(Visitor) -> Shown + Clone + 'static,
    Shown: Future<Output = PageResult> + 'static,
    A: Fn(Visitor, Fields) -> Acted + Clone + 'static,
    Acted: Future<Output = PageResult> + 'static,
{
    (
        path,
        vec![
            Page::like(Method::GET, like.clone(), get(show)),
            Page::like(Method::POST, like, post(act)),
        ],
    )
}

/// As [`asked`], for what shows a secret once: the page that shows it does nothing when it is loaded anew.
pub(crate) fn asked_once<S, Shown, A, Acted>(path: &'static str, like: Like, show: S, act: A) -> PathPages
where
    S: Fn(Visitor) -> Shown + Clone + 'static,
    Shown: Future<Output = PageResult> + 'static,
    A: Fn(Visitor, Fields) -> Acted + Clone + 'static,
    Acted: Future<Output = PageResult> + 'static,
{
    let act_once = move |visitor: Visitor, fields: Fields| {
        let act = act.clone();
        async move {
            let (session, name) = (visitor.session().id, fields.or_empty(ONCE));
            // Only our pages name their forms, and have them sent again.
            if !name.is_empty() && !page::is_first(visitor.app(), session, name) {
                return Ok(see_other(&format!(
                    "{}?done=sent-before",
                    visitor.request().path()
                )));
            }
            act(visitor, fields).await
        }
    };
    asked(path, like, show, act_once)
}

/// As [`asked`], for a form that a document is pasted into.
pub(crate) fn asked_for_document<S, Shown, A, Acted>(
    path: &'static str,
    like: Like,
    show: S,
    act: A,
) -> PathPages
where
    S: Fn(Visitor) -> Shown + Clone + 'static,
    Shown: Future<Output = PageResult> + 'static,
    A: Fn(Visitor, Fields) -> Acted + Clone + 'static,
    Acted: Future<Output = PageResult> + 'static,
{
    (
        path,
        vec![
            Page::like(Method::GET, like.clone(), get(show)),
            Page::like(Method::POST, like, post_up_to(MAX_FORM_WITH_DOCUMENT, act)),
        ],
    )
}

/// A page that is shown.
pub(crate) fn get<F, Answer>(handler: F) -> impl Handler<(Visitor,), Output = HttpResponse>
where
    F: Fn(Visitor) -> Answer + Clone + 'static,
    Answer: Future<Output = PageResult> + 'static,
{
    move |visitor: Visitor| {
        let answer = handler(visitor.clone());
        async move {
            let answer = answer.await;
            finished(&visitor, &Fields::default(), answer)
        }
    }
}

/// A form that is acted upon.
pub(crate) fn post<F, Answer>(handler: F) -> impl Handler<(Visitor, Body), Output = HttpResponse>
where
    F: Fn(Visitor, Fields) -> Answer + Clone + 'static,
    Answer: Future<Output = PageResult> + 'static,
{
    post_up_to(MAX_FORM, handler)
}

/// As [`post`], for a form of at most so many bytes.
pub(crate) fn post_up_to<F, Answer>(
    max: usize,
    handler: F,
) -> impl Handler<(Visitor, Body), Output = HttpResponse>
where
    F: Fn(Visitor, Fields) -> Answer + Clone + 'static,
    Answer: Future<Output = PageResult> + 'static,
{
    move |mut visitor: Visitor, body: Body| {
        let handler = handler.clone();
        async move {
            match form::of(&mut visitor, body, max).await {
                Ok(fields) => {
                    let answer = handler(visitor.clone(), fields.clone()).await;
                    finished(&visitor, &fields, answer)
                }
                Err(FormError::Proof(error, fields)) => finished(
                    &visitor,
                    &fields,
                    Ok(refusal::prove(&visitor, &fields, Some(&error))),
                ),
                Err(FormError::Refused(error)) => {
                    finished(&visitor, &Fields::default(), Ok(visitor.refused(&error)))
                }
            }
        }
    }
}

/// The answer, with the session's new token if it has one.
fn finished(visitor: &Visitor, fields: &Fields, answer: PageResult) -> HttpResponse {
    let response = answer.unwrap_or_else(|error| refused(visitor, fields, &error));
    visitor
        .finish(response)
        .unwrap_or_else(|error| visitor.refused(&error))
}

fn refused(visitor: &Visitor, fields: &Fields, error: &ApiError) -> HttpResponse {
    match error.problem().code {
        Code::StepUpRequired => refusal::prove(visitor, fields, None),
        _ => visitor.refused(error),
    }
}
