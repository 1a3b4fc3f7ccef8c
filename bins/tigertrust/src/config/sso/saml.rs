//! Providers that speak SAML.

use std::fs;

use tigertrust_accounts::sso::{
    ProviderSettings, SamlAttributes, SamlConnection, SamlIdentityProvider, SamlServiceProvider,
    SamlSigningKey,
};
use tigertrust_sso::saml::{ServiceProvider, read_signing_key};
use zeroize::Zeroizing;

use super::{super::forms::cannot_read, Provider, Table};

/// Reads how one is asked.
pub(super) fn read(table: &mut Table<'_>) -> Option<Provider> {
    let provider = metadata(table);
    let attributes = SamlAttributes {
        subject: table.text("subject_attribute"),
        email: table.text("email_attribute"),
        name: table.text("name_attribute"),
        groups: table.text("groups_attribute"),
    };
    let allows_unsolicited = table.flag("allow_unsolicited");
    let signing_key = signing_key(table);
    let settings = SamlConnection {
        provider: provider?,
        metadata_url: None,
        attributes,
        allows_unsolicited,
        signing_certificate: signing_key.as_ref().map(|key| key.certificate.clone()),
    };
    Some((ProviderSettings::Saml(settings), signing_key))
}

fn metadata(table: &mut Table<'_>) -> Option<SamlIdentityProvider> {
    let path = table.needed("metadata_file", "the path of the provider's metadata");
    let entity_id = table.text("entity_id");
    let path = path?;
    let document = file(table, "metadata_file", &path)?;
    ServiceProvider
        .read_metadata(&document, entity_id.as_deref())
        .map_err(|error| table.refuse("metadata_file", &format!("{path:?}: {error}")))
        .ok()
}

fn signing_key(table: &mut Table<'_>) -> Option<SamlSigningKey> {
    let (key, certificate) = ("signing_key_file", "signing_certificate_file");
    let paths = (table.text(key), table.text(certificate));
    let (key_path, certificate_path) = match paths {
        (Some(key), Some(certificate)) => (key, certificate),
        (Some(_), None) if !table.is_set(certificate) => {
            table.refuse(
                certificate,
                "is needed beside signing_key_file: the path of the key's certificate",
            );
            return None;
        }
        (None, Some(_)) if !table.is_set(key) => {
            table.refuse(
                key,
                "is needed beside signing_certificate_file: the path of the certificate's key",
            );
            return None;
        }
        _ => return None,
    };
    let pem = file(table, key, &key_path).map(Zeroizing::new);
    let certificate = file(table, certificate, &certificate_path);
    read_signing_key(&pem?, &certificate?)
        .map_err(|error| table.refuse(key, &format!("{key_path:?} and {certificate_path:?}: {error}")))
        .ok()
}

fn file(table: &mut Table<'_>, field: &str, path: &str) -> Option<Vec<u8>> {
    fs::read(path)
        .map_err(|error| table.refuse(field, &cannot_read(path, &error)))
        .ok()
}
