//! What domains say of themselves, without a network.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use tigertrust_accounts::sso::{DomainRecords, ProviderError};

/// TXT records that a test publishes.
#[derive(Debug, Default)]
pub struct TestRecords(Mutex<BTreeMap<String, Vec<String>>>);

impl TestRecords {
    /// Publishes a record.
    ///
    /// # Panics
    /// If another thread panicked meanwhile.
    pub fn publish(&self, name: &str, value: &str) {
        let mut records = self.0.lock().expect("no thread panicked");
        records.entry(name.to_owned()).or_default().push(value.to_owned());
    }
}

#[async_trait]
impl DomainRecords for TestRecords {
    async fn txt(&self, name: &str) -> Result<Vec<String>, ProviderError> {
        let records = self.0.lock().expect("no thread panicked");
        Ok(records.get(name).cloned().unwrap_or_default())
    }
}
