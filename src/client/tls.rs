//! Whom a client trusts: a CA from a file, one that is pinned by its fingerprint, or those of the system.
//!
//! A pin is the SHA-256 of the certificate of a CA, or of the server itself, as SSH pins a host. The server must show that
//! certificate among its own: perchd does. What a pinned CA signed must still be for the host, and in time.

use crate::client::dial::Stream;
use crate::client::fault::Fault;
use crate::client::url::Url;
use crate::error::{Error, Exit};
use crate::limits;
use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring::default_provider, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::TLS13;
use rustls::{CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme};
use std::fmt::Write;
use std::io;
use std::path::Path;
use std::str;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where systems keep the CAs that they trust; `$SSL_CERT_FILE` is asked first.
const SYSTEM: [&str; 4] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem"];

/// Whom to trust.
#[derive(Clone, Debug)]
pub(crate) enum Trust {
    /// Whom this machine trusts.
    System,
    /// These CAs, and no others.
    Ca(Vec<CertificateDer<'static>>),
    /// The certificate with this SHA-256.
    Pin([u8; 32]),
}

impl Trust {
    /// The CAs in a PEM file.
    ///
    /// # Errors
    /// When there is none in it.
    pub(crate) fn from_file(path: &Path) -> Result<Self, Error> {
        let unread = |cause| Error::new(Exit::Config, "cannot read the CA").at(path.display()).because(cause);
        let text = std::fs::read(path).map_err(unread)?;
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        read.ok().filter(|found| !found.is_empty()).map(Trust::Ca).ok_or_else(|| {
            let remedy = "It is PEM, and begins with -----BEGIN CERTIFICATE-----. The board gives it at /ca.pem";
            Error::new(Exit::Config, "there is no certificate in this file").at(path.display()).remedy(remedy)
        })
    }

    /// A pin as it is written: `sha256:` and 64 hexadecimal digits, with or without colons.
    pub(crate) fn from_pin(text: &str) -> Option<Self> {
        let (kind, digits) = text.split_once(':')?;
        let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b':').collect();
        let mut pin = [0; 32];
        if !kind.eq_ignore_ascii_case("sha256") || digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        for (byte, pair) in pin.iter_mut().zip(digits.chunks(2)) {
            *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Trust::Pin(pin))
    }

    /// The pin of the first of these CAs.
    pub(crate) fn pin(&self) -> Option<String> {
        let Trust::Ca(certificates) = self else { return None };
        certificates.first().map(|certificate| pin(certificate))
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        match self {
            Trust::Ca(certificates) => _ = roots.add_parsable_certificates(certificates.iter().cloned()),
            Trust::System => {
                let given = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
                let mut places = given.into_iter().chain(SYSTEM.map(Into::into));
                if let Some(text) = places.find_map(|place| std::fs::read(place).ok()) {
                    _ = roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&text).flatten());
                }
            }
            Trust::Pin(_) => {}
        }
        roots
    }
}

/// A certificate's SHA-256 as a pin is written.
pub(crate) fn pin(certificate: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in digest(&SHA256, certificate).as_ref() {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Why a certificate was refused, and what was seen.
#[derive(Debug)]
pub(crate) struct Refusal {
    why: TlsError,
    is_pinned: bool,
    /// The last certificate that the server showed, which is its CA if it shows one.
    seen: String,
}

impl Refusal {
    /// The same in words.
    pub(crate) fn told(&self, url: &Url) -> Error {
        let error = |what: String| Error::new(Exit::Unavailable, what).at(url.origin());
        let seen = &self.seen;
        match &self.why {
            TlsError::InvalidCertificate(CertificateError::UnknownIssuer) if self.is_pinned => error(format!(
                "this is not the server that was pinned: it shows {seen}"
            ))
            .remedy(
                "Nothing was sent. Compare that with what `perchd pair` prints on the board. If it is the same, the board has a new\n  \
                 CA: give the new --pin. If it is not, somebody stands between you and the board.",
            ),
            TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => {
                error(format!("nothing here vouches for this server: it shows {seen}")).remedy(format!(
                    "Nothing was sent. Compare that with what `perchd pair` prints on the board. If it is the same, add:\n  --pin {seen}"
                ))
            }
            TlsError::InvalidCertificate(CertificateError::ExpiredContext { time, not_after: end }) => {
                error(out_of_date("it ended on", *end, *time)).remedy(clocks(*time))
            }
            TlsError::InvalidCertificate(CertificateError::NotValidYetContext { time, not_before: begin }) => {
                error(out_of_date("it begins on", *begin, *time)).remedy(clocks(*time))
            }
            TlsError::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
                error(format!("the certificate is for other names: {}", self.why))
                    .remedy("Take one of those in the address; or put this one under `names` in the board's configuration.")
            }
            why if format!("{why:?}").contains("CaUsedAsEndEntity") => error("the server shows the certificate of a CA as its own".to_owned())
                .remedy("Make one for it without CA:TRUE, which openssl puts in by itself; certs/development of the sources does."),
            why => error(format!("the certificate is no good: {why}")),
        }
    }
}

fn out_of_date(what: &str, moment: UnixTime, now: UnixTime) -> String {
    let date = |time: UnixTime| httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(time.as_secs()));
    format!("the certificate is out of date: {what} {}, and the clock of this computer says {}", date(moment), date(now))
}

/// Which clock is wrong, where one can tell.
fn clocks(now: UnixTime) -> &'static str {
    if now.as_secs() < limits::BUILD_UNIX_SECS {
        return "The clock of this computer is wrong: it is behind this program. Set it: sudo timedatectl set-ntp true";
    }
    "Is the clock of this computer right, and that of the board? A board renews a certificate of its own CA by itself."
}

/// The TLS side of a client.
pub(crate) struct Tls {
    connector: TlsConnector,
    judge: Arc<Judge>,
}

impl Tls {
    /// Trusts these and no others.
    ///
    /// # Errors
    /// When the CAs are none.
    pub(crate) fn new(trust: Trust) -> Result<Self, Error> {
        let failed = |_| Error::new(Exit::Software, "cannot set up TLS");
        let provider = Arc::new(default_provider());
        let roots = trust.roots();
        if roots.is_empty() && matches!(trust, Trust::Ca(_)) {
            return Err(Error::new(Exit::Config, "the certificates of --ca are none of a CA"));
        }
        let judge = Judge { trust, roots, provider: Arc::clone(&provider), refusal: Mutex::default(), shown: Mutex::default() };
        let judge = Arc::new(judge);
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]).map_err(failed)?;
        let verifier = Arc::<Judge>::clone(&judge);
        let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls { connector: TlsConnector::from(Arc::new(config)), judge })
    }

    /// The handshake with a host.
    pub(crate) async fn handshake(&self, host: &str, socket: TcpStream) -> Result<impl Stream + use<>, Fault> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| Fault::Tls(io::Error::other(error)))?;
        self.judge.take();
        self.connector.connect(name, socket).await.map_err(|error| match self.judge.take() {
            Some(refusal) => Fault::Trust(Box::new(refusal)),
            None => Fault::Tls(error),
        })
    }

    /// The certificates that the server of the last handshake showed, its own first.
    pub(crate) fn shown(&self) -> Vec<CertificateDer<'static>> {
        self.judge.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// Looks at what the server shows.
struct Judge {
    trust: Trust,
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
    refusal: Mutex<Option<Refusal>>,
    shown: Mutex<Vec<CertificateDer<'static>>>,
}

/// rustls asks for it. What is derived would be that of all algorithms, too.
impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").finish_non_exhaustive()
    }
}

impl Judge {
    fn take(&self) -> Option<Refusal> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn look(
        &self,
        server: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), TlsError> {
        let unknown = || TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        let certificate = ParsedCertificate::try_from(server)?;
        let mut pinned = RootCertStore::empty();
        let mut roots = &self.roots;
        if let Trust::Pin(pin) = &self.trust {
            let is_pinned = |certificate: &CertificateDer<'_>| digest(&SHA256, certificate).as_ref() == pin;
            if is_pinned(server) {
                // It vouches for itself: who holds its key is who was pinned. The name must still be right.
                return verify_server_name(&certificate, name);
            }
            let ca = others.iter().find(|other| is_pinned(other)).ok_or_else(unknown)?;
            pinned.add(ca.clone().into_owned())?;
            roots = &pinned;
        }
        if roots.is_empty() {
            return Err(unknown());
        }
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, roots, others, now, algorithms)?;
        verify_server_name(&certificate, name)
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let shown = [server].into_iter().chain(others).map(|certificate| certificate.clone().into_owned()).collect();
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown;
        self.look(server, others, name, now).inspect_err(|why| {
            let is_pinned = matches!(self.trust, Trust::Pin(_));
            let refusal = Refusal { why: why.clone(), is_pinned, seen: pin(others.last().unwrap_or(server)) };
            *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
        })?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        // It is not asked: TLS 1.2 is not offered.
        Err(TlsError::HandshakeNotComplete)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_printed_and_nothing_else_is_one() {
        let text = pin(b"certificate");
        let Some(Trust::Pin(read)) = Trust::from_pin(&text) else { panic!("{text}") };
        assert_eq!(read, digest(&SHA256, b"certificate").as_ref());
        let (kind, digits) = text.split_once(':').unwrap();
        let pairs: Vec<_> = digits.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap()).collect();
        let colons = format!("SHA256:{}", pairs.join(":").to_ascii_uppercase());
        assert!(matches!(Trust::from_pin(&colons), Some(Trust::Pin(same)) if same == read));
        for wrong in [
            digits,
            "sha256:",
            &text[..text.len() - 1],
            &format!("{text}0"),
            &format!("sha1:{digits}"),
            &format!("{kind}:+{}", &digits[1..]),
        ] {
            assert!(Trust::from_pin(wrong).is_none(), "{wrong}");
        }
    }
}
