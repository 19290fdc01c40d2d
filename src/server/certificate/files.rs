//! The operator's own certificate.

use super::x509::X509;
use super::{Identity, pem};
use crate::config::PemFile;
use crate::error::{Error, Exit};
use crate::server::state::{check_secret, read};
use crate::world::Now;
use rustix::io::Errno;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::Error as PemError;
use zeroize::Zeroizing;

/// Reads a certificate, those between it and its CA, and its key, in PEM. Whether the key belongs to the certificate shows
/// when the two are put to use.
///
/// # Errors
/// When one of the files cannot be read or is something else, the certificate has ended, or others can read the key.
pub(crate) fn from_files(certificate: &PemFile, key: &PemFile, now: Now) -> Result<Identity, Error> {
    let chain = pem::certificates(&text(certificate)?)
        .map_err(|fault| unusable(certificate, "certificate", "-----BEGIN CERTIFICATE-----", &fault))?;
    let first = chain.first().and_then(|first| X509::read(first));
    let read = first.ok_or_else(|| {
        let remedy = "Put it there anew, the board's own first, in PEM. To look into it: openssl x509 -noout -text -in FILE";
        Error::new(Exit::Config, "the certificate is damaged").at(certificate).remedy(remedy)
    })?;
    let (begins, ends) = (u64::try_from(read.begins).unwrap_or_default(), u64::try_from(read.ends).unwrap_or_default());
    if ends < now.unix {
        let remedy = "Put a new one there, with its key. Or leave it to perchd: mode = \"own\" under [tls].";
        let what = format!("the certificate has ended, {} days ago", (now.unix - ends) / super::DAY);
        return Err(Error::new(Exit::Config, what).at(certificate).remedy(remedy));
    }
    let names = read.names();
    Ok(Identity { key: private_key(key)?, begins, ends, names, chain })
}

fn private_key(file: &PemFile) -> Result<PrivateKeyDer<'static>, Error> {
    let text = text(file)?;
    check_secret(&file.path, "the private key").map_err(|error| error.at(file))?;
    pem::key(&text).map_err(|fault| {
        if text.contains("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
            let remedy = "Take the password off, as nobody types it when the board starts: openssl pkey -in KEY -out NEW";
            return Error::new(Exit::Config, "the private key has a password").at(file).remedy(remedy);
        }
        unusable(file, "private key", "-----BEGIN PRIVATE KEY-----", &fault)
    })
}

fn text(file: &PemFile) -> Result<Zeroizing<String>, Error> {
    let missing = || std::io::Error::from(Errno::NOENT);
    read(&file.path).and_then(|text| text.ok_or_else(missing)).map_err(|error| {
        let remedy = "Check the path under [tls], and that perchd may read the file.";
        Error::new(Exit::Config, "cannot read the file").at(file).because(error).remedy(remedy)
    })
}

fn unusable(file: &PemFile, kind: &str, first_line: &str, fault: &PemError) -> Error {
    let what = match fault {
        PemError::NoItemsFound => format!("there is no {kind} in this file"),
        _ => format!("the {kind} in this file is damaged"),
    };
    let remedy = format!("It must be in PEM, a text with the line `{first_line}`.");
    Error::new(Exit::Config, what).at(file).remedy(remedy)
}
