//! A service that keeps certificates, each workspace its own, and lets in whoever holds an API key with the scope.
//!
//! ```text
//! cargo run --example certificates [-- --data DIR --listen 127.0.0.1:8090]
//! ```
//!
//! TigerTrust is embedded: its database is a file in DIR, or in a folder that is gone when the service stops. The service
//! prints commands to try.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tigertrust::{
    Bootstrapped, OsRandom, Password, TigerTrust, WorkspaceId,
    actix::{Code, Permitted, Problem, Rejection},
    needs,
};
use time::format_description::well_known::Rfc3339;
use x509_parser::prelude::{FromDer, X509Certificate, parse_x509_pem};

const MAX_BODY: usize = 64 * 1024;

needs! {
    /// May list the workspace's certificates; agent and public keys may hold the scope.
    pub struct ReadCertificates { scope: "certificates:read" }
    /// May store certificates in the workspace.
    pub struct WriteCertificates { scope: "certificates:write" }
}

/// What the service tells of a certificate.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    subject: String,
    issuer: String,
    not_before: String,
    not_after: String,
    serial: String,
    sha256_fingerprint: String,
}

/// What the service answers to who lists.
#[derive(Serialize)]
struct List<'a> {
    items: Vec<&'a Certificate>,
}

/// The certificates of every workspace, by fingerprint. A real service would have a table here.
#[derive(Default)]
pub struct Certificates(Mutex<HashMap<WorkspaceId, BTreeMap<String, Certificate>>>);

/// The routes of the service.
pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/api/certificates").get(list).post(store));
}

async fn list(
    caller: Permitted<ReadCertificates>,
    certificates: web::Data<Certificates>,
) -> Result<HttpResponse, Rejection> {
    let all = certificates.0.lock().unwrap_or_else(PoisonError::into_inner);
    let own = all.get(&caller.in_workspace()?.id);
    let items = own.into_iter().flat_map(BTreeMap::values).collect();
    Ok(HttpResponse::Ok().json(List { items }))
}

/// The body is read once the caller is known: a stranger cannot make the service parse anything.
async fn store(
    caller: Permitted<WriteCertificates>,
    certificates: web::Data<Certificates>,
    body: web::Payload,
) -> Result<HttpResponse, Rejection> {
    let too_large = |_| {
        Problem::new(
            Code::PayloadTooLarge,
            format!("The body is larger than {MAX_BODY} bytes."),
        )
    };
    let body = body.to_bytes_limited(MAX_BODY).await.map_err(too_large)?;
    let body = body.map_err(|_| invalid("The body ended too early."))?;
    let certificate =
        parse(&body).ok_or_else(|| invalid("The body must be one X.509 certificate in PEM."))?;
    let mut all = certificates.0.lock().unwrap_or_else(PoisonError::into_inner);
    all.entry(caller.in_workspace()?.id)
        .or_default()
        .insert(certificate.sha256_fingerprint.clone(), certificate.clone());
    Ok(HttpResponse::Created().json(certificate))
}

fn invalid(detail: &str) -> Problem {
    Problem::new(Code::ValidationError, detail)
}

/// Reads a PEM text that holds one certificate and nothing after it.
fn parse(text: &[u8]) -> Option<Certificate> {
    let (rest, pem) = parse_x509_pem(text).ok()?;
    let (trailing, certificate) = X509Certificate::from_der(&pem.contents).ok()?;
    if pem.label != "CERTIFICATE" || !trailing.is_empty() || !rest.trim_ascii().is_empty() {
        return None;
    }
    let validity = certificate.validity();
    Some(Certificate {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        not_before: validity.not_before.to_datetime().format(&Rfc3339).ok()?,
        not_after: validity.not_after.to_datetime().format(&Rfc3339).ok()?,
        serial: hex(&certificate.serial.to_bytes_be()),
        sha256_fingerprint: hex(&Sha256::digest(&pem.contents)),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// TigerTrust over a database in the folder.
pub async fn open(folder: &Path) -> Result<TigerTrust, Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let pepper = folder.join("pepper");
    if !pepper.exists() {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&pepper)?;
        file.write_all(TigerTrust::generate_pepper()?.as_bytes())?;
    }
    let auth = TigerTrust::builder()
        .database(&format!("sqlite://{}/auth.db", folder.display()))
        .pepper("p1", &fs::read_to_string(pepper)?)
        .migrate(true)
        .build()
        .await?;
    Ok(auth)
}

/// Makes an account with a workspace, an agent key with every scope and a public key that may read certificates; none
/// where there is an account already.
pub async fn first_keys(auth: &TigerTrust) -> Result<Option<Bootstrapped>, Box<dyn Error>> {
    let password = Password::generate(&OsRandom)?;
    Ok(auth.bootstrap("owner@example.com".parse()?, password).await?)
}

/// Commands to try.
pub fn commands(base: &str, first: &Bootstrapped) -> String {
    let (agent, public) = (first.agent.secret.reveal(), first.public.secret.reveal());
    let (workspace, examples) = (
        first.workspace.id,
        concat!(env!("CARGO_MANIFEST_DIR"), "/examples"),
    );
    format!(
        r#"BASE={base}

# Store a certificate, then list those of the workspace in each way that a key can be sent:
curl -X POST "$BASE/api/certificates" -H "X-Agent-API-Key: {agent}" --data-binary @"{examples}/sample.pem"
curl -X GET "$BASE/api/certificates" -H "X-Agent-API-Key: {agent}"
curl -X GET "$BASE/api/certificates" -H "Authorization: Bearer {agent}"
curl -X GET "$BASE/api/certificates" -H "X-Agent-API-Key: {agent}" -H "X-Workspace-ID: {workspace}"

# A public key may read, and not write: 403.
curl -X GET "$BASE/api/certificates" -H "Authorization: Bearer {public}"
curl -X POST "$BASE/api/certificates" -H "Authorization: Bearer {public}" --data-binary @"{examples}/sample.pem"
"#
    )
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let (mut data, mut listen) = (temporary.path().to_owned(), "127.0.0.1:8090".to_owned());
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        match (name.as_str(), arguments.next()) {
            ("--data", Some(value)) => data = PathBuf::from(value),
            ("--listen", Some(value)) => listen = value,
            _ => return Err("usage: certificates [--data DIR] [--listen ADDRESS:PORT]".into()),
        }
    }
    let auth = open(&data).await?;
    let (shared, certificates) = (
        web::Data::new(auth.clone()),
        web::Data::new(Certificates::default()),
    );
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .app_data(certificates.clone())
            .configure(routes)
    })
    .bind(&listen)
    .map_err(|error| format!("{listen} cannot be listened on: {error}"))?;
    let base = server
        .addrs()
        .first()
        .map(|address| format!("http://{address}"))
        .unwrap_or_default();
    match first_keys(&auth).await? {
        Some(first) => println!("{}\nStop with Ctrl-C.", commands(&base, &first)),
        None => println!("{base} serves the keys that were made earlier. Stop with Ctrl-C."),
    }
    server.run().await?;
    auth.close().await;
    Ok(())
}
