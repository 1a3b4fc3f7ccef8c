//! The settings of TLS by the server itself.

use std::{path::PathBuf, time::Duration};

use super::{
    forms::{path, time},
    reader::Reader,
};

/// TLS by the server itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate and those between it and the root, in PEM.
    pub certificate_file: PathBuf,
    /// Its private key, in PEM.
    pub key_file: PathBuf,
    /// How often it is looked whether the files have changed.
    pub check_every: Duration,
}

impl TlsSettings {
    /// Reads them; none where neither file is set.
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let certificate = path(reader, "server.tls.certificate_file", "the path of a file in PEM");
        let key = path(reader, "server.tls.key_file", "the path of a file in PEM");
        let check_every = time(reader, "server.tls.check_every", Duration::from_secs(10));
        match (certificate, key) {
            (Some(certificate_file), Some(key_file)) => Some(Self {
                certificate_file,
                key_file,
                check_every,
            }),
            (None, None) => None,
            (Some(_), None) => {
                let origin = reader.origin_of("server.tls.certificate_file");
                reader.refuse(
                    "server.tls.certificate_file",
                    &origin,
                    "set server.tls.key_file too",
                );
                None
            }
            (None, Some(_)) => {
                let origin = reader.origin_of("server.tls.key_file");
                reader.refuse(
                    "server.tls.key_file",
                    &origin,
                    "set server.tls.certificate_file too",
                );
                None
            }
        }
    }
}
