//! The server's certificate: one that the owner gives, or one of a local CA made at the first
//! start. People install the CA's certificate on their devices once (`/api/v1/ca.pem`); the
//! server's own is renewed under it without anybody noticing.
//!
//! The CA may sign for this house only: name constraints limit it to private addresses, local
//! names and the names it was made for, so that its key is no danger to other sites.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use media::Wall;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use stdx::{Error, Kind, Result};

const DAY: Duration = Duration::from_secs(86_400);
const CA_DAYS: u32 = 3_650;
/// Browsers refuse server certificates that are valid for more than 398 days.
const LEAF_DAYS: u32 = 397;
/// Renewed when less than this is left.
const LEAF_DAYS_LEFT: i64 = 30;
/// A CA must outlive what it signs.
const CA_DAYS_LEFT: i64 = 400;
/// Most names and addresses in one certificate.
const NAMES_MAX: usize = 64;

/// Names that are never public.
const LOCAL_NAMES: &[&str] = &["localhost", "local", "lan", "internal", "home.arpa"];
const LOCAL_NETWORKS: &[(IpAddr, u8)] = &[
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)), 10),
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
];

/// What a TLS listener needs, and its renewal.
#[derive(Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    origin: Origin,
    ca_pem: Option<String>,
}

#[derive(Debug)]
enum Origin {
    Files { certificate: PathBuf, key: PathBuf },
    Local { dir: PathBuf, names: Vec<String> },
}

/// The certificate in use; replaced while the listener runs.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// A certificate chain and its key, PEM, from the owner.
    ///
    /// # Errors
    /// `InvalidArgument` or `NotFound`, naming the file, when they cannot be used.
    pub fn files(certificate: &Path, key: &Path) -> Result<Self> {
        let certified = load(certificate, key)?;
        let origin = Origin::Files { certificate: certificate.into(), key: key.into() };
        Self::with(certified, origin, None)
    }

    /// A certificate of the local CA in `dir` (made if it is missing) for `localhost`, `names` and
    /// `addresses`.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that cannot stand in a certificate; else of the files.
    pub fn local(dir: &Path, names: &[String], addresses: &[IpAddr], now: Wall) -> Result<Self> {
        let mut all = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        all.extend(names.iter().map(|n| n.trim_end_matches('.').to_ascii_lowercase()));
        all.extend(addresses.iter().filter(|a| !a.is_unspecified()).map(IpAddr::to_string));
        all.sort_unstable();
        all.dedup();
        if all.len() > NAMES_MAX {
            let message = format!("a certificate has at most {NAMES_MAX} names and addresses");
            return Err(Error::new(Kind::InvalidArgument, message));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let local = make_local(dir, &all, now)?;
        let certified = load(&dir.join("server.pem"), &dir.join("server.key"))?;
        Self::with(certified, Origin::Local { dir: dir.into(), names: all }, Some(local))
    }

    fn with(certified: CertifiedKey, origin: Origin, ca_pem: Option<String>) -> Result<Self> {
        let current = Arc::new(Current(RwLock::new(Arc::new(certified))));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::new(Kind::Internal, e.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), current, origin, ca_pem })
    }

    /// For `serve_tls`: TLS 1.3 and 1.2, HTTP/2 and HTTP/1.1.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// The local CA's certificate; `None` with given files.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// SHA-256 of the local CA's certificate as devices show it: pairs of digits with colons.
    pub fn ca_sha256(&self) -> Option<String> {
        let der = CertificateDer::from_pem_slice(self.ca_pem()?.as_bytes()).ok()?;
        let pairs: Vec<String> = Sha256::digest(&der).iter().map(|b| format!("{b:02X}")).collect();
        Some(pairs.join(":"))
    }

    /// Reads given files again, or renews the local certificate when it is near its end. New
    /// connections use what was found. To be called about once a day.
    ///
    /// # Errors
    /// As when it was made; the certificate in use stays.
    pub fn refresh(&self, now: Wall) -> Result<()> {
        let certified = match &self.origin {
            Origin::Files { certificate, key } => load(certificate, key)?,
            Origin::Local { dir, names } => {
                make_local(dir, names, now)?;
                load(&dir.join("server.pem"), &dir.join("server.key"))?
            }
        };
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
        Ok(())
    }
}

/// This machine's name, alone and under `.local`, as far as it can stand in a certificate.
pub fn host_names() -> Vec<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().to_ascii_lowercase();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    if name.is_empty() || name == "localhost" || !name.bytes().all(plain) {
        return Vec::new();
    }
    let short = name.split('.').next().unwrap_or_default();
    let mut names = vec![format!("{short}.local"), short.to_owned(), name.clone()];
    names.dedup();
    names
}

/// The addresses that this machine uses towards others. Nothing is sent to find them.
pub async fn local_addresses() -> Vec<IpAddr> {
    let mut found = Vec::new();
    // Addresses of documentation: routed like any other, answered by nobody.
    for (bind, towards) in [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")] {
        let Ok(socket) = tokio::net::UdpSocket::bind(bind).await else { continue };
        if socket.connect(towards).await.is_ok()
            && let Ok(address) = socket.local_addr()
        {
            found.push(address.ip());
        }
    }
    found
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn load(certificate: &Path, key: &Path) -> Result<CertifiedKey> {
    let bad = |path: &Path, what: String| {
        Error::new(Kind::InvalidArgument, format!("{}: {what}", path.display()))
            .with_code("certificate")
    };
    let read = |path: &Path| {
        fs::read(path).map_err(|e| {
            Error::from(e)
                .with_code("certificate")
                .map_message(|m| format!("{}: {m}", path.display()))
        })
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| bad(certificate, e.to_string()))?;
    if chain.is_empty() {
        return Err(bad(certificate, "there is no certificate in it".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|e| bad(key, e.to_string()))?;
    CertifiedKey::from_der(chain, secret, &provider()).map_err(|e| bad(key, e.to_string()))
}

/// Makes what is missing, too old or for other names. Returns the CA's certificate.
fn make_local(dir: &Path, names: &[String], now: Wall) -> Result<String> {
    let (ca_pem, ca_key, leaf_pem) =
        (dir.join("ca.pem"), dir.join("ca.key"), dir.join("server.pem"));
    let (made_for, signed_for) = (dir.join("ca.names"), dir.join("server.names"));
    let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let extra: String = names.iter().filter(|n| !is_local(n)).fold(String::new(), |mut out, n| {
        let _ = writeln!(out, "{n}");
        out
    });
    let had = ca_pem.exists();
    let covered = extra.lines().all(|n| text(&made_for).lines().any(|m| m == n));
    if !covered || days_left(&ca_pem, now) < CA_DAYS_LEFT || !ca_key.exists() {
        if had {
            tracing::warn!(
                "the local CA is replaced (new names or near its end): install its certificate \
                 on your devices again"
            );
        }
        let (certificate, key) = make_ca(&extra, now).map_err(unmade)?;
        write(&ca_key, &key)?;
        write(&ca_pem, &certificate)?;
        write(&made_for, &extra)?;
    }
    let ca = text(&ca_pem);
    let mut wanted: String =
        Sha256::digest(ca.as_bytes()).iter().fold(String::new(), |mut o, b| {
            let _ = write!(o, "{b:02x}");
            o
        });
    for name in names {
        let _ = write!(wanted, "\n{name}");
    }
    if text(&signed_for) != wanted || days_left(&leaf_pem, now) < LEAF_DAYS_LEFT {
        let (certificate, key) = make_leaf(&ca, &text(&ca_key), names, now).map_err(unmade)?;
        // The list goes last: without it the next start makes a certificate again.
        write(&signed_for, "")?;
        write(&dir.join("server.key"), &key)?;
        write(&leaf_pem, &certificate)?;
        write(&signed_for, &wanted)?;
    }
    Ok(ca)
}

fn unmade(e: rcgen::Error) -> Error {
    Error::new(Kind::InvalidArgument, format!("the certificate cannot be made: {e}"))
        .with_code("certificate")
}

fn make_ca(extra: &str, now: Wall) -> std::result::Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = validity(CertificateParams::default(), now, CA_DAYS);
    // Two recorders in one house have CAs of different names.
    let mark: String =
        Sha256::digest(key.public_key_raw()).iter().take(3).fold(String::new(), |mut o, b| {
            let _ = write!(o, "{b:02x}");
            o
        });
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("khien local CA {mark}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let dns = LOCAL_NAMES.iter().map(|n| GeneralSubtree::DnsName((*n).to_owned()));
    let networks = LOCAL_NETWORKS.iter().map(|(a, p)| subnet(*a, *p));
    let given = extra.lines().map(|n| match n.parse::<IpAddr>() {
        Ok(address) => subnet(address, if address.is_ipv4() { 32 } else { 128 }),
        Err(_) => GeneralSubtree::DnsName(n.to_owned()),
    });
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: dns.chain(networks).chain(given).collect(),
        excluded_subtrees: Vec::new(),
    });
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn make_leaf(
    ca: &str,
    ca_key: &str,
    names: &[String],
    now: Wall,
) -> std::result::Result<(String, String), rcgen::Error> {
    let issuer = Issuer::from_ca_cert_pem(ca, KeyPair::from_pem(ca_key)?)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = validity(CertificateParams::new(names.to_vec())?, now, LEAF_DAYS);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "khien");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok((params.signed_by(&key, &issuer)?.pem(), key.serialize_pem()))
}

/// From yesterday (clocks differ), for so many days in all.
fn validity(mut params: CertificateParams, now: Wall, days: u32) -> CertificateParams {
    let yesterday = now.plus_us(-86_400_000_000).to_string();
    let number = |from: usize, to: usize| yesterday.get(from..to).and_then(|t| t.parse().ok());
    let month = number(5, 7).and_then(|m| u8::try_from(m).ok()).unwrap_or(1);
    let day = number(8, 10).and_then(|d| u8::try_from(d).ok()).unwrap_or(1);
    params.not_before = rcgen::date_time_ymd(number(0, 4).unwrap_or(2026), month, day);
    params.not_after = params.not_before + DAY * days;
    params
}

fn subnet(address: IpAddr, prefix: u8) -> GeneralSubtree {
    // `from_addr_prefix` shifts a full prefix out of range; the mask is made here.
    GeneralSubtree::IpAddress(match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            CidrSubnet::V4(v4.octets(), mask.to_be_bytes())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            CidrSubnet::V6(v6.octets(), mask.to_be_bytes())
        }
    })
}

/// Whether every CA of ours may sign for this name or address.
fn is_local(name: &str) -> bool {
    match name.parse::<IpAddr>() {
        Ok(address) => LOCAL_NETWORKS.iter().any(|(network, prefix)| match (address, network) {
            (IpAddr::V4(a), IpAddr::V4(n)) => {
                (a.to_bits() ^ n.to_bits()).leading_zeros() >= u32::from(*prefix)
            }
            (IpAddr::V6(a), IpAddr::V6(n)) => {
                (a.to_bits() ^ n.to_bits()).leading_zeros() >= u32::from(*prefix)
            }
            _ => false,
        }),
        Err(_) => LOCAL_NAMES.iter().any(|local| {
            name == *local || name.strip_suffix(local).is_some_and(|head| head.ends_with('.'))
        }),
    }
}

/// Whole days that the certificate is still valid; negative for none.
fn days_left(path: &Path, now: Wall) -> i64 {
    let Ok(Ok(der)) = fs::read(path).map(|pem| CertificateDer::from_pem_slice(&pem)) else {
        return -1;
    };
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&der) else { return -1 };
    let seconds = certificate.validity().not_after.timestamp() - now.0.div_euclid(1_000_000);
    seconds.div_euclid(86_400)
}

/// Writes a file of mode 0600, whole or not at all.
fn write(path: &Path, text: &str) -> Result<()> {
    let at = |e: std::io::Error| Error::from(e).map_message(|m| format!("{}: {m}", path.display()));
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(at(e)),
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(at)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(at)?;
    fs::rename(&new, path).map_err(at)
}

#[cfg(test)]
mod tests;
