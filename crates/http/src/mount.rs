//! Puts the operations into an application, and refuses what none of them answers.

use actix_web::{
    HttpRequest, HttpResponse, Resource,
    http::{Method, header},
    web::{self, ServiceConfig},
};
use tigertrust_wire::{Code, Problem};

use crate::{
    access::{MethodNeed, Needs},
    error::ApiError,
    openapi,
    page::{Pages, wants_page},
    pages,
    respond::Respond,
    routes::{Operation, operations},
};

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
