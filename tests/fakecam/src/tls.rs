//! The camera's certificate: its own, sometimes expired or for another name.

use std::io;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::{Config, Quirk};

/// A certificate with its key, ready to serve.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) sha256: String,
    pub(crate) der: Vec<u8>,
}

/// Makes a new key and certificate.
pub(crate) fn identity(config: &Config) -> io::Result<Identity> {
    let name = if config.form(Quirk::TrTlsOdd, 2) { "camera.invalid" } else { "127.0.0.1" };
    let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(io::Error::other)?;
    params.not_before = date_time_ymd(2015, 1, 1);
    let last_year = if config.form(Quirk::TrTlsOdd, 1) { 2016 } else { 2070 };
    params.not_after = date_time_ymd(last_year, 1, 1);
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = params.self_signed(&key).map_err(io::Error::other)?;
    let der = certificate.der().to_vec();
    let sha256 = crate::auth::fingerprint(&der);
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .map_err(io::Error::other)?;
    Ok(Identity { config: Arc::new(config), sha256, der })
}
