//! Certificates: of providers, whose keys verify, and of our own.

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::AsDer,
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, IsCa, KeyUsagePurpose, PKCS_RSA_SHA256, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};
use tigertrust_accounts::sso::{ProviderError, SamlCertificate, SamlSigningKey};
use tigertrust_model::{RandomSource, Timestamp};
use time::OffsetDateTime;
use x509_parser::{
    prelude::{FromDer, X509Certificate},
    public_key::PublicKey,
};
use zeroize::Zeroizing;

const MIN_RSA_BITS: usize = 2048;
const MAX_RSA_BITS: usize = 8192;
const YEARS: i32 = 10;

/// A certificate with a key that signatures are accepted from.
///
/// # Errors
/// What is wrong with it, in words of our own.
pub(super) fn read(der: Vec<u8>) -> Result<SamlCertificate, &'static str> {
    let (rest, certificate) =
        X509Certificate::from_der(&der).map_err(|_| "A certificate of the provider cannot be read.")?;
    if !rest.is_empty() {
        return Err("A certificate of the provider cannot be read.");
    }
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&key.key_size()) => {}
        _ => return Err("The key in a certificate of the provider is not RSA of 2048 bits or more."),
    }
    let not_after = certificate
        .validity()
        .not_after
        .timestamp()
        .saturating_mul(1_000_000);
    Ok(SamlCertificate {
        not_after: Timestamp::from_unix_micros(not_after),
        fingerprint: digest(&SHA256, &der)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        der,
    })
}

/// Makes a key of RSA with 2048 bits, which every provider takes, and a certificate that it signs itself. The key's randomness is
/// the library's own: it takes none from outside.
///
/// # Errors
/// [`ProviderError::Unavailable`] where there is no randomness, [`ProviderError::Settings`] for a name that a certificate cannot
/// hold.
pub(super) fn new_signing_key(
    common_name: &str,
    random: &dyn RandomSource,
    now: Timestamp,
) -> Result<SamlSigningKey, ProviderError> {
    let unavailable = || ProviderError::Unavailable("No key could be made.".to_owned());
    let key = KeyPair::generate(KeySize::Rsa2048).map_err(|_| unavailable())?;
    let pkcs8 = key.as_der().map_err(|_| unavailable())?;
    let pkcs8 = Zeroizing::new(pkcs8.as_ref().to_vec());

    let params = certificate_params(common_name, random, now)?;
    let signer = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.as_slice().into(), &PKCS_RSA_SHA256)
        .map_err(|_| unavailable())?;
    let certificate = params
        .self_signed(&signer)
        .map_err(|_| ProviderError::Settings("No certificate can be made of that name.".to_owned()))?;
    Ok(SamlSigningKey {
        pkcs8,
        certificate: certificate.der().to_vec(),
    })
}

/// Reads a key to sign requests with and a certificate of it, both in PEM.
///
/// # Errors
/// [`ProviderError::Settings`], which says what is wrong and shows nothing of the key.
pub fn read_signing_key(key: &[u8], certificate: &[u8]) -> Result<SamlSigningKey, ProviderError> {
    let unsuitable = |reason: &str| ProviderError::Settings(reason.to_owned());
    let pkcs8 = PrivatePkcs8KeyDer::from_pem_slice(key)
        .map(|key| Zeroizing::new(key.secret_pkcs8_der().to_vec()))
        .map_err(|_| {
            unsuitable("The key is not one of PKCS #8 in PEM, which begins with BEGIN PRIVATE KEY.")
        })?;
    let pair =
        KeyPair::from_pkcs8(&pkcs8).map_err(|_| unsuitable("The key is not RSA of 2048 to 8192 bits."))?;
    let certificate = CertificateDer::from_pem_slice(certificate)
        .map_err(|_| unsuitable("The certificate is not one in PEM, which begins with BEGIN CERTIFICATE."))?;
    let (_, read) =
        X509Certificate::from_der(&certificate).map_err(|_| unsuitable("The certificate cannot be read."))?;
    if read.public_key().subject_public_key.data.as_ref() != pair.public_key().as_ref() {
        return Err(unsuitable("The certificate is of another key."));
    }
    Ok(SamlSigningKey {
        pkcs8,
        certificate: certificate.to_vec(),
    })
}

fn certificate_params(
    common_name: &str,
    random: &dyn RandomSource,
    now: Timestamp,
) -> Result<CertificateParams, ProviderError> {
    let mut serial = [0; 16];
    random
        .fill(&mut serial)
        .map_err(|error| ProviderError::Unavailable(error.to_string()))?;
    // A serial number is positive, and not zero (RFC 5280 §4.1.2.2).
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    let begin = OffsetDateTime::from_unix_timestamp(now.unix_micros().div_euclid(1_000_000))
        .map_err(|_| ProviderError::Settings("The clock is wrong.".to_owned()))?;
    // The 29th of February has no counterpart in ten years.
    let end_year = begin.year().saturating_add(YEARS);
    let end = begin
        .replace_year(end_year)
        .or_else(|_| begin.replace_day(28).and_then(|day| day.replace_year(end_year)))
        .map_err(|_| ProviderError::Settings("The clock is wrong.".to_owned()))?;

    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = begin;
    params.not_after = end;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use tigertrust_credentials::OsRandom;

    use super::*;

    fn pem(label: &str, der: &[u8]) -> Vec<u8> {
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            STANDARD.encode(der)
        )
        .into_bytes()
    }

    #[test]
    fn a_key_is_read_with_its_own_certificate_alone() {
        let made = || new_signing_key("acme", &OsRandom, Timestamp::from_unix_micros(0)).unwrap();
        let (one, other) = (made(), made());
        let key = pem("PRIVATE KEY", &one.pkcs8);
        let certificate = pem("CERTIFICATE", &one.certificate);
        assert_eq!(read_signing_key(&key, &certificate), Ok(one));
        for (key, certificate, expected) in [
            (&key, &pem("CERTIFICATE", &other.certificate), "another key"),
            (&key, &key, "BEGIN CERTIFICATE"),
            (&key, &pem("CERTIFICATE", b"nonsense"), "cannot be read"),
            (&certificate, &certificate, "BEGIN PRIVATE KEY"),
            (&pem("PRIVATE KEY", b"nonsense"), &certificate, "not RSA"),
            (&b"nonsense".to_vec(), &certificate, "BEGIN PRIVATE KEY"),
        ] {
            let error = read_signing_key(key, certificate).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
