//! What of a certificate matters to us: whose it is, from when to when, for which names, and who signed it (RFC 5280 4.1).
//!
//! Only certificates that the operator put there or that we made are read here, never one of a stranger.

use crate::date::days;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use std::net::IpAddr;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const VERSION: u8 = 0xa0;
pub(super) const EXTENSIONS: u8 = 0xa3;
pub(super) const PERMITTED_SUBTREES: u8 = 0xa0;
pub(super) const DNS_NAME: u8 = 0x82;
pub(super) const IP_ADDRESS: u8 = 0x87;

/// id-at-commonName, 2.5.4.3.
pub(super) const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// id-ce-subjectAltName, 2.5.29.17.
pub(super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// id-ce-nameConstraints, 2.5.29.30.
pub(super) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];

/// A certificate that was read.
#[derive(Debug)]
pub(super) struct X509<'a> {
    signed: &'a [u8],
    signature: &'a [u8],
    /// The common name, where the subject has no other part, as with those that we make.
    pub(super) common_name: Option<&'a str>,
    /// Seconds since 1970.
    pub(super) begins: i64,
    /// Seconds since 1970.
    pub(super) ends: i64,
    pub(super) public_key: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> X509<'a> {
    /// Reads a certificate in DER.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut whole = Der(Der(der).content(SEQUENCE)?);
        let signed = whole.element(SEQUENCE)?;
        let mut fields = Der(Der(signed).content(SEQUENCE)?);
        whole.content(SEQUENCE)?;
        let signature = whole.content(BIT_STRING)?.strip_prefix(&[0])?;
        fields.optional(VERSION);
        fields.next()?; // serial number
        fields.content(SEQUENCE)?; // algorithm of the signature
        fields.content(SEQUENCE)?; // issuer
        let mut validity = Der(fields.content(SEQUENCE)?);
        let (begins, ends) = (validity.time()?, validity.time()?);
        let common_name = common_name(fields.content(SEQUENCE)?);
        let mut key = Der(fields.content(SEQUENCE)?);
        key.content(SEQUENCE)?;
        let public_key = key.content(BIT_STRING)?.strip_prefix(&[0])?;
        let mut extensions = &[][..];
        while let Some((tag, content)) = fields.next() {
            if tag == EXTENSIONS {
                extensions = Der(content).content(SEQUENCE)?;
            }
        }
        Some(X509 { signed, signature, common_name, begins, ends, public_key, extensions })
    }

    /// The host names and addresses that it is for.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self.extension(SUBJECT_ALT_NAME).and_then(|content| Der(content).content(SEQUENCE));
        let mut names = Der(names.unwrap_or_default());
        std::iter::from_fn(|| names.next()).filter_map(name).collect()
    }

    /// Whether a CA with this certificate may vouch for a host name or address (RFC 5280 4.2.1.10).
    pub(super) fn permits(&self, name: &str) -> bool {
        let Some(constraints) = self.extension(NAME_CONSTRAINTS) else { return true };
        let permitted = Der(constraints).content(SEQUENCE).and_then(|content| Der(content).content(PERMITTED_SUBTREES));
        let mut subtrees = Der(permitted.unwrap_or_default());
        let mut bases = std::iter::from_fn(|| subtrees.content(SEQUENCE).and_then(|subtree| Der(subtree).next()));
        match name.parse::<IpAddr>() {
            Ok(address) => bases.any(|(tag, network)| tag == IP_ADDRESS && is_within(address, network)),
            Err(_) => bases.any(|(tag, suffix)| tag == DNS_NAME && is_under(name.as_bytes(), suffix)),
        }
    }

    fn extension(&self, wanted: &[u8]) -> Option<&'a [u8]> {
        let mut extensions = Der(self.extensions);
        while let Some((_, extension)) = extensions.next() {
            let mut extension = Der(extension);
            let oid = extension.content(OID)?;
            extension.optional(BOOLEAN);
            if oid == wanted {
                return extension.content(OCTET_STRING);
            }
        }
        None
    }

    /// Whether the holder of this P-256 key signed it.
    pub(super) fn is_signed_by(&self, public_key: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public_key).verify(self.signed, self.signature).is_ok()
    }
}

fn common_name(subject: &[u8]) -> Option<&str> {
    let mut parts = Der(subject);
    let mut attribute = Der(Der(parts.content(SET)?).content(SEQUENCE)?);
    let is_only = parts.0.is_empty() && attribute.content(OID)? == COMMON_NAME;
    let name = attribute.content(UTF8_STRING)?;
    is_only.then(|| std::str::from_utf8(name).ok()).flatten()
}

/// `network` is an address and a mask, each as long as this address.
fn is_within(address: IpAddr, network: &[u8]) -> bool {
    let is_within = |address: &[u8]| {
        let (base, mask) = network.split_at(network.len() / 2);
        base.len() == address.len()
            && mask.len() == address.len()
            && address.iter().zip(base).zip(mask).all(|((byte, base), mask)| byte & mask == base & mask)
    };
    match address {
        IpAddr::V4(address) => is_within(&address.octets()),
        IpAddr::V6(address) => is_within(&address.octets()),
    }
}

fn is_under(name: &[u8], suffix: &[u8]) -> bool {
    let Some((head, tail)) = name.len().checked_sub(suffix.len()).and_then(|middle| name.split_at_checked(middle)) else {
        return false;
    };
    tail.eq_ignore_ascii_case(suffix) && head.last().is_none_or(|last| *last == b'.')
}

fn name((tag, content): (u8, &[u8])) -> Option<String> {
    match tag {
        DNS_NAME => std::str::from_utf8(content).ok().map(str::to_owned),
        IP_ADDRESS => {
            let v4 = <[u8; 4]>::try_from(content).map(IpAddr::from).ok();
            v4.or_else(|| <[u8; 16]>::try_from(content).map(IpAddr::from).ok()).map(|address| address.to_string())
        }
        _ => None,
    }
}

/// Elements of DER (X.690 8.1), one after the other.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            short if short < 0x80 => (usize::from(short), rest),
            0x81 | 0x82 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 3))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next element, which must have this tag.
    fn content(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    /// The same with its tag and length.
    fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let all = self.0;
        self.content(tag)?;
        all.get(..all.len() - self.0.len())
    }

    /// Passes over an element with this tag, if it comes next.
    fn optional(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }

    /// A moment, in seconds since 1970 (RFC 5280 4.1.2.5).
    fn time(&mut self) -> Option<i64> {
        let (tag, content) = self.next()?;
        let digits = content.strip_suffix(b"Z")?;
        let (year, rest) = match tag {
            UTC_TIME => digits.split_at_checked(2)?,
            GENERALIZED_TIME => digits.split_at_checked(4)?,
            _ => return None,
        };
        let year = match (tag, number(year)?) {
            (UTC_TIME, year @ 0..50) => 2000 + year,
            (UTC_TIME, year) => 1900 + year,
            (_, year) => year,
        };
        if rest.len() != 10 {
            return None;
        }
        let mut pairs = rest.chunks(2).map(number);
        let mut pair = || pairs.next().flatten();
        let (month, day, hour, minute, second) = (pair()?, pair()?, pair()?, pair()?, pair()?);
        Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_both_forms() {
        let time = |tag, text: &str| {
            let der = [&[tag, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
            Der(&der).time()
        };
        assert_eq!(time(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(time(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(time(GENERALIZED_TIME, "20500101000000Z"), Some(2_524_608_000));
        for text in ["7001010000Z", "700101000000", "70010100000xZ", "", "Z", "700101000000+0100"] {
            assert_eq!(time(UTC_TIME, text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        for der in
            [&[][..], &[0x30], &[0x30, 0x84, 1, 0, 0, 0], &[0x30, 0x82, 0xff, 0xff], &[0x30, 0x02, 0x30, 0x00], &[0x30; 64]]
        {
            assert!(X509::read(der).is_none(), "{der:?}");
        }
    }
}
