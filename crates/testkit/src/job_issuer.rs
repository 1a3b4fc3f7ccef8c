//! An issuer that vouches for jobs, as those of CI services do: metadata, keys, and tokens with whatever claims a test wants.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard},
};

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, http::StatusCode, web};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobAlgorithm {
    /// `ES256`.
    Es256,
    /// `RS256`.
    Rs256,
    /// `PS256`.
    Ps256,
    /// `EdDSA` with Ed25519.
    EdDsa,
}

impl JobAlgorithm {
    const ALL: [Self; 4] = [Self::Es256, Self::Rs256, Self::Ps256, Self::EdDsa];

    const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ed(Ed25519KeyPair),
}

/// A key of an issuer.
struct Key {
    algorithm: JobAlgorithm,
    id: String,
    pair: Pair,
}

impl Key {
    fn new(algorithm: JobAlgorithm, generation: u32) -> Self {
        let rsa = || RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let pair = match algorithm {
            JobAlgorithm::Es256 => {
                Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"))
            }
            JobAlgorithm::Rs256 => Pair::Rsa(rsa(), &RSA_PKCS1_SHA256),
            JobAlgorithm::Ps256 => Pair::Rsa(rsa(), &RSA_PSS_SHA256),
            JobAlgorithm::EdDsa => Pair::Ed(Ed25519KeyPair::generate().expect("a key")),
        };
        Self {
            algorithm,
            id: format!("{}-{generation}", algorithm.name()),
            pair,
        }
    }

    fn published(&self) -> Value {
        let mut key = json!({"kid": self.id, "use": "sig", "alg": self.algorithm.name()});
        let members = match &self.pair {
            Pair::Ec(pair) => {
                // An uncompressed point: 4, x, y.
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": encoded(&point[1..33]), "y": encoded(&point[33..65])})
            }
            Pair::Rsa(pair, _) => {
                let (modulus, exponent) = rsa_numbers(pair.public_key().as_ref());
                json!({"kty": "RSA", "n": encoded(modulus), "e": encoded(exponent)})
            }
            Pair::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(pair.public_key().as_ref())})
            }
        };
        for (name, value) in members.as_object().expect("members") {
            key[name] = value.clone();
        }
        key
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => pair
                .sign(&random, message)
                .expect("a signature")
                .as_ref()
                .to_vec(),
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature)
                    .expect("a signature");
                signature
            }
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// The numbers of an `RSAPublicKey` (RFC 8017 A.1.1): a DER sequence of two integers.
fn rsa_numbers(der: &[u8]) -> (&[u8], &[u8]) {
    fn element(der: &[u8]) -> (&[u8], &[u8]) {
        let (length, start) = match der[1] {
            length @ 0..=0x7f => (usize::from(length), 2),
            0x81 => (usize::from(der[2]), 3),
            _ => (usize::from(der[2]) << 8 | usize::from(der[3]), 4),
        };
        (&der[start..start + length], &der[start + length..])
    }
    let (sequence, _) = element(der);
    let (modulus, rest) = element(sequence);
    let (exponent, _) = element(rest);
    // A leading zero says that the number is not negative.
    (modulus.strip_prefix(&[0]).unwrap_or(modulus), exponent)
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// An issuer on this machine that is gone when this is dropped.
pub struct JobIssuer {
    origin: String,
    desk: Arc<Desk>,
    handle: ServerHandle,
}

struct Desk {
    origin: String,
    state: Mutex<State>,
}

struct State {
    generation: u32,
    keys: Vec<Key>,
    asked: usize,
    status: StatusCode,
    called: Option<String>,
}

fn keys(generation: u32) -> Vec<Key> {
    JobAlgorithm::ALL
        .map(|algorithm| Key::new(algorithm, generation))
        .into()
}

impl JobIssuer {
    /// An issuer with a key for each algorithm.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let desk = Arc::new(Desk {
            origin: origin.clone(),
            state: Mutex::new(State {
                generation: 1,
                keys: keys(1),
                asked: 0,
                status: StatusCode::OK,
                called: None,
            }),
        });
        let data = web::Data::from(Arc::clone(&desk));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/.well-known/openid-configuration", web::get().to(metadata))
                .route("/keys", web::get().to(key_set))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .expect("a server")
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { origin, desk, handle }
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.origin
    }

    /// A token with these claims.
    #[must_use]
    pub fn token(&self, algorithm: JobAlgorithm, claims: &Value) -> String {
        let state = self.desk.state();
        let key = state.keys.iter().find(|key| key.algorithm == algorithm);
        let key = key.expect("a key");
        let header = json!({"typ": "JWT", "alg": algorithm.name(), "kid": key.id});
        compact(&header, claims, |message| key.sign(message))
    }

    /// A token with this header, by the key for `ES256`.
    #[must_use]
    pub fn token_with_header(&self, header: &Value, claims: &Value) -> String {
        let state = self.desk.state();
        compact(header, claims, |message| state.keys[0].sign(message))
    }

    /// A token that is signed by HMAC, with the public key of an algorithm as it is published for the secret.
    #[must_use]
    pub fn confused_token(&self, algorithm: JobAlgorithm, claims: &Value) -> String {
        let state = self.desk.state();
        let key = state.keys.iter().find(|key| key.algorithm == algorithm);
        let key = key.expect("a key");
        let secret = key.published().to_string();
        let header = json!({"typ": "JWT", "alg": "HS256", "kid": key.id});
        compact(&header, claims, |message| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        })
    }

    /// Has other keys take the place of those that it signs with and publishes.
    pub fn rotate(&self) {
        let mut state = self.desk.state();
        state.generation += 1;
        state.keys = keys(state.generation);
    }

    /// Has everything answered with this status from now on.
    ///
    /// # Panics
    /// If it is none.
    pub fn answer(&self, status: u16) {
        self.desk.state().status = StatusCode::from_u16(status).expect("a status");
    }

    /// Has it call itself by another name in its metadata.
    pub fn call_itself(&self, issuer: &str) {
        self.desk.state().called = Some(issuer.to_owned());
    }

    /// How often it was asked for its keys.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.desk.state().asked
    }
}

fn compact(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!(
        "{}.{}",
        encoded(header.to_string().as_bytes()),
        encoded(claims.to_string().as_bytes())
    );
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", encoded(&signature))
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panicked")
    }
}

async fn metadata(desk: web::Data<Desk>) -> HttpResponse {
    let state = desk.state();
    // Those of jobs have neither an authorization nor a token endpoint.
    HttpResponse::build(state.status).json(json!({
        "issuer": state.called.as_ref().unwrap_or(&desk.origin),
        "jwks_uri": format!("{}/keys", desk.origin),
        "subject_types_supported": ["public"],
        "response_types_supported": ["id_token"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    }))
}

async fn key_set(desk: web::Data<Desk>) -> HttpResponse {
    let mut state = desk.state();
    state.asked += 1;
    let keys: Vec<Value> = state.keys.iter().map(Key::published).collect();
    HttpResponse::build(state.status).json(json!({"keys": keys}))
}

impl Drop for JobIssuer {
    fn drop(&mut self) {
        // The future only waits for the end; the order to stop is given at once.
        drop(self.handle.stop(false));
    }
}
