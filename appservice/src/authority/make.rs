//! `mls-bridge authority root` and `intermediate`: keys and certificates for an operator, in files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mls_core::authority::{Authority, ChainError, ForRcgen};
use mls_core::limits::DAY_MS;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
    PublicKey, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::pem::{FileKey, read_certificates};
use super::private_file::read_public;
use super::{date, now_ms};
use crate::command_line::{Exit, IntermediateArguments, RootArguments};
use crate::init::{InitError, make_folder, write_private};

/// The names of what is written.
pub const ROOT: &str = "root.pem";
/// The root's key.
pub const ROOT_KEY: &str = "root.key";
/// The intermediate's certificate, then the root's.
pub const CHAIN: &str = "chain.pem";
/// The intermediate's key.
pub const KEY: &str = "authority.key";

/// A root is pinned, so it lasts longer than people want to think of it.
const ROOT_DAYS: u64 = 20 * 365;
/// Certificates begin before they are made, for clocks that are behind and leaves that begin early.
const BACKDATING_MS: u64 = DAY_MS;
const SERIAL_BYTES: usize = 16;

/// Why nothing was made.
#[derive(Debug, Error)]
pub enum MakeError {
    /// It was made before.
    #[error("{0} is there already, and no key is written over: choose another --out")]
    Exists(PathBuf),
    /// The root cannot be used.
    #[error("the root: {0}")]
    Root(String),
    /// The request cannot be used.
    #[error("the request: {0}")]
    Request(String),
    /// The token cannot be used.
    #[error("the token: {0}")]
    Token(String),
    /// The intermediate would be of no use at its end.
    #[error("the root ends on {0}, before the intermediate: give less --days, or make a new root")]
    Outlasts(String),
    /// What was made does not do.
    #[error("the certificate that was made cannot be used: {0}")]
    Chain(#[from] ChainError),
    /// It cannot be made.
    #[error("no certificate can be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The system did not do it.
    #[error("{0}")]
    System(String),
}

impl MakeError {
    /// How the program ends after it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Exists(_) | Self::Root(_) | Self::Request(_) | Self::Outlasts(_) => Exit::Faulty,
            Self::Token(_) | Self::Chain(_) | Self::Certificate(_) | Self::System(_) => {
                Exit::Failed
            }
        }
    }
}

impl From<InitError> for MakeError {
    fn from(error: InitError) -> Self {
        match error {
            InitError::Exists(path) => Self::Exists(path),
            other => Self::System(other.to_string()),
        }
    }
}

/// Makes a root, and says what to do with it.
pub fn make_root(arguments: &RootArguments) -> Result<String, MakeError> {
    let key = KeyPair::generate_for(&PKCS_ED25519).map(Zeroizing::new)?;
    let params = signs(&arguments.name, ROOT_DAYS, 1)?;
    let certificate = params.self_signed(&*key)?.pem();
    let pem = Zeroizing::new(key.serialize_pem());
    write(&arguments.out, &[(ROOT, &certificate), (ROOT_KEY, &pem)])?;
    let folder = arguments.out.display();
    Ok(format!(
        "The root is in {folder}. Whoever has {ROOT_KEY} is your domain's authority: keep it offline, \
         and a copy elsewhere.\nNext: mls-bridge authority intermediate --root {folder} --name NAME \
         --out DIR\n"
    ))
}

/// Has a root sign an intermediate, and says what to do with it.
pub fn make_intermediate(arguments: &IntermediateArguments) -> Result<String, MakeError> {
    let root = Root::read(&arguments.root)?;
    let days = u64::from(arguments.days);
    if end_ms(days) > root.ends_ms {
        return Err(MakeError::Outlasts(date(root.ends_ms)));
    }
    let params = signs(&arguments.name, days, 0)?;
    let key = match &arguments.request {
        Some(request) => {
            let public = read_request(request)?;
            let own = params.signed_by(&public, &root.issuer()?)?;
            write(&arguments.out, &[(CHAIN, &[own.pem(), root.pem].concat())])?;
            "[authority.pkcs11]\n# the token that the request came from"
        }
        None => {
            let key = KeyPair::generate_for(&PKCS_ED25519).map(Zeroizing::new)?;
            let own = params.signed_by(&*key, &root.issuer()?)?;
            let pem = Zeroizing::new(key.serialize_pem());
            let file_key = FileKey::parse(pem.as_bytes()).map_err(MakeError::System)?;
            let chain = vec![own.der().to_vec(), root.der];
            Authority::given(Arc::new(file_key), chain, now_ms())?;
            write(&arguments.out, &[(CHAIN, &[own.pem(), root.pem].concat()), (KEY, &pem)])?;
            "key = \"authority.key\""
        }
    };
    let (folder, end) = (arguments.out.display(), date(end_ms(days)));
    Ok(format!(
        "The intermediate is in {folder} and ends on {end}. Next: copy all of it to the server, and in \
         its mls-bridge.toml:\n\n[authority]\nchain = \"{CHAIN}\"\n{key}\n\nThen mls-bridge check, and \
         start mls-bridge anew.\n"
    ))
}

/// The key that a request asks a certificate for, and that has signed it.
fn read_request(path: &Path) -> Result<PublicKey, MakeError> {
    let faulty = |why: String| MakeError::Request(format!("{}: {why}", path.display()));
    let text = read_public(path).map_err(MakeError::Request)?;
    let text = std::str::from_utf8(&text).map_err(|error| faulty(error.to_string()))?;
    let request = CertificateSigningRequestParams::from_pem(text);
    let public = request.map_err(|error| faulty(error.to_string()))?.public_key;
    if [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256].contains(&public.algorithm()) {
        Ok(public)
    } else {
        Err(faulty("its key is neither Ed25519 nor P-256".to_owned()))
    }
}

/// A root from its folder.
struct Root {
    key: Arc<FileKey>,
    der: Vec<u8>,
    pem: String,
    ends_ms: u64,
}

impl Root {
    fn issuer(&self) -> Result<Issuer<'static, ForRcgen>, MakeError> {
        let key = ForRcgen(self.key.clone());
        Ok(Issuer::from_ca_cert_der(&CertificateDer::from(self.der.as_slice()), key)?)
    }

    fn read(folder: &Path) -> Result<Self, MakeError> {
        let key = FileKey::read(&folder.join(ROOT_KEY)).map(Arc::new).map_err(MakeError::Root)?;
        let path = folder.join(ROOT);
        let chain = read_certificates(&path).map_err(MakeError::Root)?;
        let faulty = |error: ChainError| MakeError::Root(error.to_string());
        let [der] = chain.as_slice() else {
            return Err(MakeError::Root(format!("{} must hold one certificate", path.display())));
        };
        let authority = Authority::given(key.clone(), chain.clone(), now_ms()).map_err(faulty)?;
        let pem = read_public(&path).map_err(MakeError::Root)?;
        let pem = format!("{}\n", String::from_utf8_lossy(&pem).trim());
        Ok(Self { key, der: der.clone(), pem, ends_ms: authority.ends_ms() })
    }
}

fn end_ms(days: u64) -> u64 {
    now_ms().saturating_add(days.saturating_mul(DAY_MS))
}

/// What may sign certificates, and so many levels of others that may, for so many days from now.
fn signs(name: &str, days: u64, levels: u8) -> Result<CertificateParams, MakeError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(levels));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.not_before = at(now_ms().saturating_sub(BACKDATING_MS))?;
    params.not_after = at(end_ms(days))?;
    let mut serial = [0; SERIAL_BYTES];
    getrandom::fill(&mut serial).map_err(|error| MakeError::System(error.to_string()))?;
    // Positive and of full length in DER (RFC 5280 4.1.2.2).
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn at(time_ms: u64) -> Result<OffsetDateTime, MakeError> {
    let seconds = i64::try_from(time_ms / 1000).unwrap_or(i64::MAX);
    let broken = |_| MakeError::System("the clock shows no time that exists".to_owned());
    OffsetDateTime::from_unix_timestamp(seconds).map_err(broken)
}

/// Writes new files that nobody else may read.
pub(super) fn write(folder: &Path, files: &[(&str, &str)]) -> Result<(), MakeError> {
    let there = files.iter().map(|(name, _)| folder.join(name)).find(|path| path.exists());
    if let Some(path) = there {
        return Err(MakeError::Exists(path));
    }
    make_folder(folder)?;
    let mut each = files.iter();
    each.try_for_each(|(name, text)| Ok(write_private(&folder.join(name), text, false)?))
}
