//! What strangers can hand to the service provider of SAML: responses and metadata. The seeds are the responses that
//! `TIGERTRUST_TEST_SAML` names; whoever is signed in by a mutant of them has to be who a genuine one signs in.
#![no_main]

use std::{fs, sync::OnceLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tigertrust_accounts::sso::{
    SamlAttributes, SamlCertificate, SamlIdentityProvider, SamlServiceProvider, SamlSettings,
    VerifiedIdentity,
};
use tigertrust_model::Timestamp;
use tigertrust_sso::saml::ServiceProvider;

struct Fixture {
    settings: SamlSettings,
    request: String,
    now: Timestamp,
    genuine: Vec<VerifiedIdentity>,
}

impl Fixture {
    fn get() -> &'static Self {
        static FIXTURE: OnceLock<Fixture> = OnceLock::new();
        FIXTURE.get_or_init(|| {
            let path = std::env::var("TIGERTRUST_TEST_SAML").expect("the file with responses of SAML");
            Self::read(&serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON"))
        })
    }

    fn read(corpus: &Value) -> Self {
        let text = |name: &str| corpus[name].as_str().expect(name).to_owned();
        let certificates = ["provider", "next"].map(|name| SamlCertificate {
            der: STANDARD
                .decode(corpus["certificates"][name].as_str().expect(name))
                .expect("base64"),
            not_after: Timestamp::MAX,
            fingerprint: String::new(),
        });
        let mut fixture = Self {
            settings: SamlSettings {
                provider: SamlIdentityProvider {
                    entity_id: text("provider"),
                    sso_url: "https://idp.example.com/sso".to_owned(),
                    certificates: certificates.to_vec(),
                },
                entity_id: text("service"),
                acs_url: text("acs"),
                signing_key: None,
                attributes: SamlAttributes::default(),
            },
            request: text("request"),
            now: Timestamp::from_unix_micros(corpus["now"].as_i64().expect("now") * 1_000_000),
            genuine: Vec::new(),
        };
        let cases = corpus["cases"].as_array().expect("cases");
        let accepted = cases.iter().filter(|case| case["expect"] != "refuse");
        let responses = accepted.map(|case| case["response"].as_str().expect("a response"));
        fixture.genuine = responses
            .filter_map(|response| fixture.finish(response))
            .collect();
        assert!(!fixture.genuine.is_empty());
        fixture
    }

    fn finish(&self, response: &str) -> Option<VerifiedIdentity> {
        let outcome = ServiceProvider.finish(&self.settings, response, Some(&self.request), self.now);
        outcome.ok().map(|accepted| accepted.identity)
    }
}

fuzz_target!(|input: &[u8]| {
    let fixture = Fixture::get();
    if let Some(identity) = fixture.finish(&STANDARD.encode(input)) {
        assert!(fixture.genuine.contains(&identity), "somebody else");
    }
    if let Ok(text) = str::from_utf8(input) {
        assert!(
            fixture
                .finish(text)
                .is_none_or(|identity| fixture.genuine.contains(&identity))
        );
    }
    let _ = ServiceProvider.read_metadata(input, None);
});
