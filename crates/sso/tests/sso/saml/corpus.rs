//! The responses of `tests/corpus/generate.py`.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    sync::OnceLock,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use tigertrust_accounts::sso::{
    ProviderError, SamlAssertion, SamlAttributes, SamlCertificate, SamlIdentityProvider, SamlServiceProvider,
    SamlSettings,
};
use tigertrust_model::Timestamp;
use tigertrust_sso::saml::ServiceProvider;

/// The environment variable with the file that they are in.
const FILE: &str = "TIGERTRUST_TEST_SAML";

/// All of them, and what they were made for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Corpus {
    now: i64,
    provider: String,
    other_provider: String,
    service: String,
    acs: String,
    /// The id of the request that was asked.
    pub(crate) request: String,
    /// Where nobody may come by.
    pub(crate) listener: String,
    certificates: HashMap<String, String>,
    pub(crate) cases: Vec<Case>,
}

/// What has to become of a response.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Expectation {
    /// It is accepted, for the subject that it was made for.
    Accept,
    /// It is refused.
    Refuse,
    /// It is refused, or accepted for the subject that it was made for: the document is the same, written otherwise.
    Same,
}

/// One of them.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) group: String,
    /// In base64, as a browser brings it.
    pub(crate) response: String,
    pub(crate) expect: Expectation,
    pub(crate) subject: String,
    /// Absent where it is the one request; null where nobody asked.
    #[serde(default = "asked")]
    request: Option<String>,
    #[serde(default = "usual_certificates")]
    certificates: Vec<String>,
    #[serde(default)]
    minutes: i64,
}

/// Stands for the request that was asked.
const ASKED: &str = "asked";

fn asked() -> Option<String> {
    Some(ASKED.to_owned())
}

fn usual_certificates() -> Vec<String> {
    vec!["provider".to_owned()]
}

impl Case {
    /// The document in the response.
    pub(crate) fn document(&self) -> String {
        String::from_utf8(STANDARD.decode(&self.response).expect("base64")).expect("UTF-8")
    }
}

impl Corpus {
    /// The corpus that was generated for this run.
    pub(crate) fn get() -> &'static Self {
        static CORPUS: OnceLock<Corpus> = OnceLock::new();
        CORPUS.get_or_init(|| {
            let path = std::env::var(FILE).unwrap_or_else(|_| {
                panic!("{FILE} names no file with responses of SAML; scripts/test makes one")
            });
            let text = fs::read_to_string(&path).expect("the corpus");
            serde_json::from_str(&text).expect("the corpus is JSON")
        })
    }

    /// The case of a name.
    pub(crate) fn case(&self, name: &str) -> &Case {
        self.cases
            .iter()
            .find(|case| case.name == name)
            .unwrap_or_else(|| panic!("no case {name}"))
    }

    /// The cases that are accepted, one of each kind of signature.
    pub(crate) fn kinds(&self) -> [&Case; 3] {
        ["response-signed", "assertion-signed", "both-signed"]
            .map(|kind| self.case(&format!("xmlsec1-{kind}")))
    }

    /// How many cases each group has.
    pub(crate) fn groups(&self) -> BTreeMap<&str, usize> {
        let mut groups = BTreeMap::new();
        for case in &self.cases {
            *groups.entry(case.group.as_str()).or_default() += 1;
        }
        groups
    }

    /// When it was generated.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.now * 1_000_000)
    }

    /// The connection, to a provider that signs with these.
    pub(crate) fn settings(&self, certificates: &[&str]) -> SamlSettings {
        let certificates = certificates.iter().map(|name| SamlCertificate {
            der: STANDARD.decode(&self.certificates[*name]).expect("base64"),
            not_after: Timestamp::MAX,
            fingerprint: String::new(),
        });
        SamlSettings {
            provider: SamlIdentityProvider {
                entity_id: self.provider.clone(),
                sso_url: "https://idp.example.com/sso".to_owned(),
                certificates: certificates.collect(),
            },
            entity_id: self.service.clone(),
            acs_url: self.acs.clone(),
            signing_key: None,
            attributes: SamlAttributes::default(),
        }
    }

    /// The connection of another tenant, to its own provider.
    pub(crate) fn other_settings(&self) -> SamlSettings {
        let mut settings = self.settings(&["other"]);
        settings.provider.entity_id.clone_from(&self.other_provider);
        settings
    }

    /// What becomes of a case.
    pub(crate) fn finish(&self, case: &Case) -> Result<SamlAssertion, ProviderError> {
        self.finish_at(case, self.now())
    }

    fn finish_at(&self, case: &Case, now: Timestamp) -> Result<SamlAssertion, ProviderError> {
        let certificates: Vec<&str> = case.certificates.iter().map(String::as_str).collect();
        let minutes = Duration::from_secs(case.minutes.unsigned_abs() * 60);
        let now = if case.minutes < 0 {
            now.saturating_sub(minutes)
        } else {
            now.saturating_add(minutes)
        };
        let request = case.request.as_ref().map(|_| self.request.as_str());
        ServiceProvider.finish(&self.settings(&certificates), &case.response, request, now)
    }

    /// What becomes of a document that answers the request, now.
    pub(crate) fn finish_document(&self, document: &str) -> Result<SamlAssertion, ProviderError> {
        let encoded = STANDARD.encode(document);
        ServiceProvider.finish(
            &self.settings(&["provider"]),
            &encoded,
            Some(&self.request),
            self.now(),
        )
    }
}
