//! TLS towards cameras: verified by a given CA, or pinned at first use.
//!
//! Cameras come with self-signed, expired and misnamed certificates; what protects a person is
//! that the certificate does not change behind their back. Without a CA the first certificate
//! seen is accepted and reported, and from then on only that one.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use stdx::{Error, Kind, Result};

/// SHA-256 of a certificate's DER: what is pinned.
pub type Fingerprint = [u8; 32];

/// How a camera's certificate is judged.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Only this certificate; `None` accepts the first one seen and reports it.
    Pin(Option<Fingerprint>),
    /// Signed by one of these, for the name in the URL.
    Ca(Vec<CertificateDer<'static>>),
}

/// A certificate as people look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// What is pinned.
    pub sha256: Fingerprint,
    /// The subject's distinguished name.
    pub subject: String,
    /// End of validity, seconds since 1970.
    pub not_after_s: i64,
}

impl Certificate {
    fn read(der: &CertificateDer<'_>) -> Self {
        let sha256 = Sha256::digest(der).into();
        match x509_parser::parse_x509_certificate(der) {
            Ok((_, c)) => Self {
                sha256,
                subject: c.subject().to_string().chars().filter(|c| !c.is_control()).collect(),
                not_after_s: c.validity().not_after.timestamp(),
            },
            Err(_) => Self { sha256, subject: String::new(), not_after_s: 0 },
        }
    }
}

/// What the last handshake showed.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<Option<Certificate>>>);

impl Seen {
    /// The certificate, if a handshake got that far.
    pub fn get(&self) -> Option<Certificate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    ca: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    seen: Seen,
}

/// A client configuration that judges by `trust` and leaves what it saw in `seen`.
///
/// # Errors
/// `InvalidArgument` when the CA certificates cannot be used.
pub fn client(trust: Trust, seen: Seen) -> Result<Arc<ClientConfig>> {
    let bad = |e: String| Error::new(Kind::InvalidArgument, format!("CA certificate: {e}"));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let ca = match &trust {
        Trust::Pin(_) => None,
        Trust::Ca(certificates) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates {
                roots.add(certificate.clone()).map_err(|e| bad(e.to_string()))?;
            }
            let builder =
                WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
            Some(builder.build().map_err(|e| bad(e.to_string()))?)
        }
    };
    let verifier = Verifier { trust, ca, provider: Arc::clone(&provider), seen };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(Kind::Internal, e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = Certificate::read(end_entity);
        let sha256 = certificate.sha256;
        *self.seen.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificate);
        match (&self.trust, &self.ca) {
            (Trust::Pin(None), _) => Ok(ServerCertVerified::assertion()),
            (Trust::Pin(Some(pin)), _) if *pin == sha256 => Ok(ServerCertVerified::assertion()),
            (Trust::Ca(_), Some(ca)) => {
                ca.verify_server_cert(end_entity, intermediates, server_name, ocsp, now)?;
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            _ => Err(rustls::CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
