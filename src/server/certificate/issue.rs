//! Certificates as they are made (RFC 5280 4.1), and their keys, on P-256. Whoever makes them is this board, so that there is one
//! kind of each.

use crate::date::Date;
use crate::server::certificate::x509::{
    BIT_STRING, BOOLEAN, COMMON_NAME, DNS_NAME, EXTENSIONS, GENERALIZED_TIME, IP_ADDRESS, NAME_CONSTRAINTS, OCTET_STRING, OID,
    PERMITTED_SUBTREES, SEQUENCE, SET, SUBJECT_ALT_NAME, UTC_TIME, UTF8_STRING, VERSION,
};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use zeroize::Zeroizing;

const INTEGER: u8 = 0x02;
const KEY_IDENTIFIER: u8 = 0x80;

/// ecdsa-with-SHA256, 1.2.840.10045.4.3.2.
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// id-ecPublicKey, 1.2.840.10045.2.1.
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// secp256r1, 1.2.840.10045.3.1.7.
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// id-ce-subjectKeyIdentifier, 2.5.29.14.
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
/// id-ce-keyUsage, 2.5.29.15.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// id-ce-basicConstraints, 2.5.29.19.
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// id-ce-authorityKeyIdentifier, 2.5.29.35.
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
/// id-ce-extKeyUsage, 2.5.29.37.
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// id-kp-serverAuth, 1.3.6.1.5.5.7.3.1.
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];

/// A private key with its public one. It has no `Debug`.
pub(super) struct KeyPair {
    pair: EcdsaKeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl KeyPair {
    pub(super) fn generate() -> Option<Self> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).ok()?;
        KeyPair::read(pkcs8.as_ref())
    }

    /// Reads a key in PKCS #8.
    pub(super) fn read(pkcs8: &[u8]) -> Option<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &SystemRandom::new()).ok()?;
        Some(KeyPair { pair, pkcs8: Zeroizing::new(pkcs8.to_vec()) })
    }

    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public key, as a point that is not compressed.
    pub(super) fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }
}

/// Whose certificate it is, by their common names, and from when to when, in seconds since 1970.
pub(super) struct About<'a> {
    pub(super) issuer: &'a str,
    pub(super) subject: &'a str,
    pub(super) begins: u64,
    pub(super) ends: u64,
}

/// The certificate of a CA that vouches for what is `permitted`, and for no other CA.
pub(super) fn of_ca(about: &About<'_>, key: &KeyPair, permitted: &[Vec<u8>]) -> Option<CertificateDer<'static>> {
    let subtrees: Vec<u8> = permitted.iter().flat_map(|base| der(SEQUENCE, &[base])).collect();
    let extensions = [
        // keyCertSign and cRLSign.
        extension(KEY_USAGE, true, &[BIT_STRING, 2, 1, 0x06]),
        extension(NAME_CONSTRAINTS, true, &der(SEQUENCE, &[&der(PERMITTED_SUBTREES, &[&subtrees])])),
        extension(SUBJECT_KEY_ID, false, &der(OCTET_STRING, &[&key_id(key.public())])),
        extension(BASIC_CONSTRAINTS, true, &der(SEQUENCE, &[&[BOOLEAN, 1, 0xff], &[INTEGER, 1, 0]])),
    ];
    signed(about, key.public(), &extensions.concat(), key)
}

/// The certificate of a server with this key and these names, signed by a CA.
pub(super) fn of_server(about: &About<'_>, key: &KeyPair, names: &[String], ca: &KeyPair) -> Option<CertificateDer<'static>> {
    let names: Vec<u8> = names.iter().flat_map(|name| general_name(name)).collect();
    let extensions = [
        extension(AUTHORITY_KEY_ID, false, &der(SEQUENCE, &[&der(KEY_IDENTIFIER, &[&key_id(ca.public())])])),
        extension(SUBJECT_ALT_NAME, false, &der(SEQUENCE, &[&names])),
        // digitalSignature.
        extension(KEY_USAGE, true, &[BIT_STRING, 2, 7, 0x80]),
        extension(EXTENDED_KEY_USAGE, false, &der(SEQUENCE, &[&der(OID, &[SERVER_AUTH])])),
    ];
    signed(about, key.public(), &extensions.concat(), ca)
}

/// All host names that are this one or end in it.
pub(super) fn domain(name: &str) -> Vec<u8> {
    der(DNS_NAME, &[name.as_bytes()])
}

/// All addresses that begin with these bits.
pub(super) fn network(address: IpAddr, prefix: u32) -> Vec<u8> {
    let octets = octets(address);
    // Each byte of the mask has as many of its bits as are left.
    let mask = (0..).step_by(8).map(|bit| u8::MAX.checked_shr(prefix.saturating_sub(bit)).map_or(u8::MAX, |rest| !rest));
    let mask: Vec<u8> = mask.take(octets.len()).collect();
    der(IP_ADDRESS, &[&octets, &mask])
}

fn general_name(name: &str) -> Vec<u8> {
    name.parse().map_or_else(|_| domain(name), |address| der(IP_ADDRESS, &[&octets(address)]))
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn signed(about: &About<'_>, public: &[u8], extensions: &[u8], by: &KeyPair) -> Option<CertificateDer<'static>> {
    let algorithm = der(SEQUENCE, &[&der(OID, &[ECDSA_WITH_SHA256])]);
    let content = content(about, public, extensions, &algorithm);
    let signature = by.pair.sign(&SystemRandom::new(), &content).ok()?;
    Some(CertificateDer::from(der(SEQUENCE, &[&content, &algorithm, &der(BIT_STRING, &[&[0], signature.as_ref()])])))
}

/// What is signed.
fn content(about: &About<'_>, public: &[u8], extensions: &[u8], algorithm: &[u8]) -> Vec<u8> {
    let content: &[&[u8]] = &[
        &der(VERSION, &[&[INTEGER, 1, 2]]),
        &serial(public),
        algorithm,
        &name(about.issuer),
        &der(SEQUENCE, &[&time(about.begins), &time(about.ends)]),
        &name(about.subject),
        &key_info(public),
        &der(EXTENSIONS, &[&der(SEQUENCE, &[extensions])]),
    ];
    der(SEQUENCE, content)
}

/// A number that no other certificate of this CA has: there is one for each key. 20 bytes, positive (RFC 5280 4.1.2.2).
fn serial(public: &[u8]) -> Vec<u8> {
    let digest = digest(&SHA256, public);
    let [first, rest @ ..] = &digest.as_ref()[..20] else { return Vec::new() };
    der(INTEGER, &[&[first & 0x7f | 0x40], rest])
}

fn name(common_name: &str) -> Vec<u8> {
    let part = der(SEQUENCE, &[&der(OID, &[COMMON_NAME]), &der(UTF8_STRING, &[common_name.as_bytes()])]);
    der(SEQUENCE, &[&der(SET, &[&part])])
}

/// RFC 5280 4.1.2.5: with two digits of the year until 2049.
fn time(unix: u64) -> Vec<u8> {
    let Date { year, month, day, hour, minute, second } = Date::of(unix);
    let rest = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    match year {
        ..2050 => der(UTC_TIME, &[format!("{:02}", year % 100).as_bytes(), rest.as_bytes()]),
        _ => der(GENERALIZED_TIME, &[format!("{year:04}").as_bytes(), rest.as_bytes()]),
    }
}

/// RFC 5480 2.
fn key_info(public: &[u8]) -> Vec<u8> {
    der(SEQUENCE, &[&der(SEQUENCE, &[&der(OID, &[EC_PUBLIC_KEY]), &der(OID, &[P256])]), &der(BIT_STRING, &[&[0], public])])
}

/// What a key is called (RFC 7093 2, method 4).
fn key_id(public: &[u8]) -> Vec<u8> {
    digest(&SHA256, &key_info(public)).as_ref()[..20].to_vec()
}

fn extension(oid: &[u8], is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if is_critical { &[BOOLEAN, 1, 0xff] } else { &[] };
    der(SEQUENCE, &[&der(OID, &[oid]), critical, &der(OCTET_STRING, &[value])])
}

/// An element of DER (X.690 8.1) with this content.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1)..];
    let mut element = vec![tag];
    if content.len() > 0x7f {
        // It has at most eight bytes.
        element.push(0x80 | u8::try_from(length.len()).unwrap_or_default());
    }
    element.extend_from_slice(length);
    element.extend_from_slice(&content);
    element
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{
        BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree,
        IsCa, Issuer, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, SerialNumber, date_time_ymd,
    };
    use std::time::Duration;

    const ABOUT: About<'static> =
        About { issuer: "perchd CA of pi", subject: "perchd on pi", begins: 1_577_836_800, ends: 2_524_607_999 };

    /// What is signed of a certificate.
    fn unsigned(der: &[u8]) -> &[u8] {
        let length = usize::from(u16::from_be_bytes([der[6], der[7]]));
        assert_eq!((der[4], der[5]), (SEQUENCE, 0x82));
        &der[4..8 + length]
    }

    fn params(common_name: &str, key: &KeyPair) -> CertificateParams {
        let mut distinguished_name = DistinguishedName::new();
        distinguished_name.push(DnType::CommonName, common_name);
        let mut params = CertificateParams::default();
        let moment = |unix| date_time_ymd(1970, 1, 1) + Duration::from_secs(unix);
        (params.not_before, params.not_after) = (moment(ABOUT.begins), moment(ABOUT.ends));
        params.distinguished_name = distinguished_name;
        params.serial_number = Some(SerialNumber::from(serial(key.public())[2..].to_vec()));
        params
    }

    fn of_rcgen(key: &KeyPair) -> rcgen::KeyPair {
        rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&key.pkcs8().into(), &PKCS_ECDSA_P256_SHA256).unwrap()
    }

    #[test]
    fn a_ca_is_as_another_library_makes_it() {
        let key = KeyPair::generate().unwrap();
        let about = About { subject: ABOUT.issuer, ..ABOUT };
        let addresses: [(IpAddr, u8); 4] = [
            ("172.16.0.0".parse().unwrap(), 12),
            ("192.0.2.1".parse().unwrap(), 32),
            ("fc00::".parse().unwrap(), 7),
            ("::1".parse().unwrap(), 128),
        ];
        let mut permitted = vec![domain("local")];
        permitted.extend(addresses.map(|(address, prefix)| network(address, prefix.into())));
        let mut subtrees = vec![GeneralSubtree::DnsName("local".to_owned())];
        subtrees
            .extend(addresses.map(|(address, prefix)| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, prefix))));
        let mut params = params(ABOUT.issuer, &key);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(NameConstraints { permitted_subtrees: subtrees, excluded_subtrees: Vec::new() });
        let expected = params.self_signed(&of_rcgen(&key)).unwrap();
        assert_eq!(unsigned(&of_ca(&about, &key, &permitted).unwrap()), unsigned(expected.der()));
    }

    #[test]
    fn a_servers_certificate_is_as_another_library_makes_it() {
        let (ca, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        for count in [1, 40] {
            let mut names = vec!["pi.local".to_owned(), "192.0.2.1".to_owned(), "fd00::1".to_owned()];
            names.extend((0..count).map(|n| format!("a-name-that-is-long-{n}.example.org")));
            let mut params = params(ABOUT.subject, &key);
            params.subject_alt_names = CertificateParams::new(names.clone()).unwrap().subject_alt_names;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.use_authority_key_identifier_extension = true;
            let issuer = self::params(ABOUT.issuer, &ca);
            let expected = params.signed_by(&of_rcgen(&key), &Issuer::from_params(&issuer, of_rcgen(&ca))).unwrap();
            assert_eq!(unsigned(&of_server(&ABOUT, &key, &names, &ca).unwrap()), unsigned(expected.der()));
        }
    }

    #[test]
    fn from_2050_on_a_year_has_four_digits() {
        assert_eq!(time(2_524_607_999), b"\x17\x0d491231235959Z");
        assert_eq!(time(2_524_608_000), b"\x18\x0f20500101000000Z");
    }
}
