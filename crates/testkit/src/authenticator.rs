//! An authenticator in software, with the browser in front of it: passkeys by ES256, attestation "none".

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tigertrust_credentials::OsRandom;
use tigertrust_model::RandomSource;

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const ATTESTED: u8 = 1 << 6;

/// An authenticator in software, with the browser in front of it. What it does wrong is up to the test: every field may be set.
#[derive(Clone)]
pub struct Authenticator {
    /// The origin of the page that the browser shows.
    pub origin: String,
    /// The domain that it signs for; as it is asked where it is none.
    pub rp_id: Option<String>,
    /// Whether it verifies the person: by a PIN, say.
    pub verifies: bool,
    /// How much its counter grows with each signature; 0 for one that does not count.
    pub step: u32,
    /// What it has made, oldest first.
    pub credentials: Vec<Credential>,
}

/// What an authenticator keeps of a passkey.
#[derive(Clone)]
pub struct Credential {
    /// The credential id.
    pub id: Vec<u8>,
    /// The account, as the server named it.
    pub user_handle: String,
    /// How often it has signed.
    pub counter: u32,
    key: SigningKey,
}

impl Default for Authenticator {
    fn default() -> Self {
        Self {
            origin: "http://localhost:8080".to_owned(),
            rp_id: None,
            verifies: true,
            step: 1,
            credentials: Vec::new(),
        }
    }
}

impl Authenticator {
    /// Makes a passkey for the `publicKey` of `register/start`: what `navigator.credentials.create` answers.
    pub fn create(&mut self, options: &Value) -> Value {
        let credential = Credential {
            id: random::<32>().to_vec(),
            user_handle: options["user"]["id"].as_str().expect("a user").to_owned(),
            counter: self.step,
            key: SigningKey::from_slice(&random::<32>()).expect("a key"),
        };
        let answer = self.create_as(options, &credential);
        self.credentials.push(credential);
        answer
    }

    /// The same, for a passkey that may be another authenticator's.
    #[must_use]
    pub fn create_as(&self, options: &Value, credential: &Credential) -> Value {
        let rp_id = self.rp_id.clone();
        let rp_id = rp_id.unwrap_or_else(|| options["rp"]["id"].as_str().expect("an rp").to_owned());
        let point = credential.key.verifying_key().to_encoded_point(false);
        let (x, y) = (point.x().expect("x"), point.y().expect("y"));
        let mut data = authenticator_data(&rp_id, self.flags() | ATTESTED, credential.counter);
        data.extend([0; 16]);
        data.extend([0, 32]);
        data.extend(&credential.id);
        // COSE_Key (RFC 9053 §7.1): kty EC2, alg ES256, crv P-256, x, y.
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(x.iter());
        data.extend([0x22, 0x58, 0x20]);
        data.extend(y.iter());
        // CBOR (RFC 8949): {"fmt": "none", "attStmt": {}, "authData": data}.
        let mut object = vec![0xa3];
        object.extend(b"\x63fmt\x64none\x67attStmt\xa0\x68authData\x58");
        object.push(u8::try_from(data.len()).expect("a short one"));
        object.extend(&data);
        let client_data = self.client_data("webauthn.create", options);
        let id = URL_SAFE_NO_PAD.encode(&credential.id);
        json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
                "attestationObject": URL_SAFE_NO_PAD.encode(object),
                "transports": ["internal"],
            },
        })
    }

    /// Signs with the newest passkey for the `publicKey` of `login/start`: what `navigator.credentials.get` answers.
    pub fn get(&mut self, options: &Value) -> Value {
        let rp_id = self.rp_id.clone();
        let rp_id = rp_id.unwrap_or_else(|| options["rpId"].as_str().expect("an rp").to_owned());
        let (flags, step) = (self.flags(), self.step);
        let client_data = self.client_data("webauthn.get", options);
        let credential = self.credentials.last_mut().expect("a passkey");
        credential.counter += step;
        let data = authenticator_data(&rp_id, flags, credential.counter);
        let signed = [data.as_slice(), &Sha256::digest(&client_data)].concat();
        let signature: Signature = credential.key.sign(&signed);
        let id = URL_SAFE_NO_PAD.encode(&credential.id);
        json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
                "authenticatorData": URL_SAFE_NO_PAD.encode(data),
                "signature": URL_SAFE_NO_PAD.encode(signature.to_der()),
                "userHandle": credential.user_handle,
            },
        })
    }

    fn flags(&self) -> u8 {
        USER_PRESENT | if self.verifies { USER_VERIFIED } else { 0 }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let data = json!({
            "type": kind,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": false,
        });
        data.to_string().into_bytes()
    }
}

fn authenticator_data(rp_id: &str, flags: u8, counter: u32) -> Vec<u8> {
    let mut data = Sha256::digest(rp_id.as_bytes()).to_vec();
    data.push(flags);
    data.extend(counter.to_be_bytes());
    data
}

fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    OsRandom.fill(&mut bytes).expect("random bytes");
    bytes
}
