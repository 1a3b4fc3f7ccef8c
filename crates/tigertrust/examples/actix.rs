//! A service of actix-web that keeps certificates, each workspace its own, and lets in whoever holds an API key with the scope.
//!
//! ```text
//! TIGERTRUST_PEPPER=… cargo run -p tigertrust --features actix --example actix
//! ```

use std::{
    collections::HashMap,
    env,
    error::Error,
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use actix_web::{App, HttpResponse, HttpServer, middleware::from_fn, web};
use tigertrust::{
    OsRandom, Password, TigerTrust, WorkspaceId,
    actix::{Permitted, Rejection, tell_limits},
    needs,
};

needs! {
    /// May list the certificates of a workspace.
    pub struct ReadCertificates { scope: "certificates:read" }
    /// May store certificates in a workspace.
    pub struct WriteCertificates { scope: "certificates:write" }
}

/// The certificates of every workspace. A real service would have a table here.
#[derive(Default)]
pub struct Certificates(Mutex<HashMap<WorkspaceId, Vec<String>>>);

async fn list(
    caller: Permitted<ReadCertificates>,
    certificates: web::Data<Certificates>,
) -> Result<HttpResponse, Rejection> {
    let workspace = caller.in_workspace()?.id;
    let all = certificates.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(HttpResponse::Ok().json(all.get(&workspace).cloned().unwrap_or_default()))
}

async fn store(
    caller: Permitted<WriteCertificates>,
    certificates: web::Data<Certificates>,
    certificate: String,
) -> Result<HttpResponse, Rejection> {
    let workspace = caller.in_workspace()?.id;
    let mut all = certificates.0.lock().unwrap_or_else(PoisonError::into_inner);
    all.entry(workspace).or_default().push(certificate);
    Ok(HttpResponse::Created().finish())
}

/// The routes of the service. The one without a key is for whoever looks whether it runs.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/certificates").get(list).post(store))
        .route("/health", web::get().to(async || "up"));
}

#[actix_web::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let pepper = env::var("TIGERTRUST_PEPPER").map_err(|error| format!("TIGERTRUST_PEPPER: {error}"))?;
    let auth = TigerTrust::builder()
        .database("sqlite://./auth.db")
        .pepper("p1", &pepper)
        .migrate(true)
        .build()
        .await?;
    let password = Password::generate(&OsRandom)?;
    if let Some(first) = auth.bootstrap("owner@example.com".parse()?, password).await? {
        println!("an agent key, shown once: {}", first.agent.secret.reveal());
    }

    let (shared, certificates) = (
        web::Data::new(auth.clone()),
        web::Data::new(Certificates::default()),
    );
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(tell_limits))
            .app_data(shared.clone())
            .app_data(certificates.clone())
            .configure(routes)
    })
    .bind("127.0.0.1:8090")?;
    println!("http://127.0.0.1:8090 is up, stop it with Ctrl-C");
    server.run().await?;
    auth.close().await;
    Ok(())
}
