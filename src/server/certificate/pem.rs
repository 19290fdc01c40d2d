//! PEM (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// Every certificate in a text, at least one.
pub(super) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    if chain.is_empty() { Err(Error::NoItemsFound) } else { Ok(chain) }
}

/// The first private key in a text: PKCS #8, SEC1 or PKCS #1.
pub(super) fn key(text: &str) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(text.as_bytes())
}

/// A text with one item.
pub(super) fn write(label: &str, der: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(STANDARD.encode(der));
    // Large enough from the beginning: no copy of a key is left behind.
    let mut text = Zeroizing::new(String::with_capacity(encoded.len() + encoded.len() / 64 + 2 * label.len() + 40));
    text.extend(["-----BEGIN ", label, "-----\n"]);
    for start in (0..encoded.len()).step_by(64) {
        text.extend([&encoded[start..encoded.len().min(start + 64)], "\n"]);
    }
    text.extend(["-----END ", label, "-----\n"]);
    text
}
