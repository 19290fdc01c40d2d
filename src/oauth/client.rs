//! A client's registration, which is its `client_id` (RFC 7591 A.5.2), and how a client says who it is.

use super::Error;
use super::form::Parameters;
use super::redirect::{Fingerprint, RedirectUri};
use crate::limits;
use crate::principal::ClientTag;
use crate::seal::{Forged, Full, KeyRing, Purpose, Reader, Writer};
use crate::world::World;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

const SECS_PER_DAY: u64 = 24 * 3600;
/// Beside the number of redirect URIs: the client may use the device grant.
const IS_DEVICE: u8 = 0x80;
/// Salt, day, number and fingerprints of redirect URIs, name.
const BYTES: usize = 6 + 2 + 1 + 16 * limits::REDIRECT_URIS + 2 + limits::CLIENT_NAME_BYTES;

/// The name that a client gave itself, cleaned.
pub(super) type Name = heapless::String<{ limits::CLIENT_NAME_BYTES }>;

/// A client that was registered here.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) tag: ClientTag,
    pub(super) name: Name,
    /// Whether it may use the device grant (RFC 8628).
    pub(super) is_device: bool,
    redirect_uris: heapless::Vec<Fingerprint, { limits::REDIRECT_URIS }>,
}

/// What goes into a registration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registering<'a> {
    pub(super) redirect_uris: &'a [RedirectUri],
    pub(super) name: &'a str,
    pub(super) is_device: bool,
}

/// A client, and when it was registered.
#[derive(Clone, Debug)]
pub(super) struct Registered {
    pub(super) client: Client,
    /// The beginning of that day.
    pub(super) born_unix: u64,
}

impl Client {
    /// A `client_id` that proves this registration.
    ///
    /// Its salt makes two clients of the same name and redirect URI two, as they are: on two computers, say.
    pub(super) fn seal(world: &World<'_>, ring: &KeyRing, registered: &Registering<'_>) -> Result<String, Full> {
        let Registering { redirect_uris, name, is_device } = *registered;
        let day = u16::try_from(world.now.unix / SECS_PER_DAY).unwrap_or(u16::MAX);
        let number = u8::try_from(redirect_uris.len()).map_err(|_| Full)?;
        let kind = if is_device { number | IS_DEVICE } else { number };
        let mut fields = Writer::<BYTES>::new().array::<6>(&world.bytes()).u16(day).u8(kind);
        for uri in redirect_uris {
            fields = fields.array(&uri.registered());
        }
        Ok(ring.seal(Purpose::Client, &fields.text(name).finish()?))
    }

    /// Takes a `client_id` apart.
    pub(super) fn open(ring: &KeyRing, client_id: &str) -> Result<Self, Forged> {
        Client::registered(ring, client_id).map(|registered| registered.client)
    }

    /// The same with the day of the registration.
    pub(super) fn registered(ring: &KeyRing, client_id: &str) -> Result<Registered, Forged> {
        let opened = ring.open(Purpose::Client, client_id.as_bytes())?;
        let mut fields = Reader::new(&opened);
        let (_salt, day) = (fields.array::<6>()?, fields.u16()?);
        let mut redirect_uris = heapless::Vec::new();
        let kind = fields.u8()?;
        for _ in 0..kind & !IS_DEVICE {
            redirect_uris.push(fields.array()?).map_err(|_| Forged)?;
        }
        let name = Name::try_from(fields.text()?).map_err(|_| Forged)?;
        fields.end()?;
        let client = Client { tag: tag(client_id), name, is_device: kind & IS_DEVICE != 0, redirect_uris };
        Ok(Registered { client, born_unix: u64::from(day) * SECS_PER_DAY })
    }

    /// The client that sent a request to the token or revocation endpoint. RFC 6749 2.3.
    ///
    /// It has no secret; one that sends its id in a header, with an empty secret, is understood.
    pub(super) fn authenticate(ring: &KeyRing, parameters: &Parameters<'_>, authorization: Option<&[u8]>) -> Result<Self, Error> {
        let in_body = parameters.one("client_id")?;
        if parameters.one("client_secret")?.is_some() {
            return Err(Error::invalid_client("client_secret from a client that has none"));
        }
        let Some(header) = authorization else {
            let client_id = in_body.ok_or(Error::invalid_client("no client_id"))?;
            return Client::open(ring, client_id).map_err(|_| Error::invalid_client("client_id not sealed here"));
        };
        let in_header = basic(header).ok_or(Error::invalid_client("Authorization header not understood").in_header())?;
        if in_body.is_some_and(|client_id| client_id != in_header) {
            return Err(Error::invalid_client("two different client_ids").in_header());
        }
        Client::open(ring, &in_header).map_err(|_| Error::invalid_client("client_id not sealed here").in_header())
    }

    /// Whether the client was registered with this redirect URI.
    pub(super) fn has(&self, redirect_uri: &RedirectUri) -> bool {
        self.redirect_uris.contains(&redirect_uri.registered())
    }
}

/// What of a name can be shown: at most so many bytes, and nothing that hides or turns around what stands beside it.
pub(super) fn cleaned(name: &str) -> Name {
    let mut cleaned = Name::new();
    for character in name.trim().chars().filter(|character| is_visible(*character)) {
        if cleaned.push(character).is_err() {
            break;
        }
    }
    cleaned
}

/// Whether a character shows as itself: no control character, no mark that reorders or hides text (UAX 9, UTS 39).
pub(super) fn is_visible(character: char) -> bool {
    let is_format = matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !character.is_control() && !is_format
}

/// The first bytes of the SHA-256 of the id: an id has one spelling only, and so one tag.
pub(super) fn tag(client_id: &str) -> ClientTag {
    let digest = digest::digest(&digest::SHA256, client_id.as_bytes());
    let mut tag = [0; 8];
    tag.copy_from_slice(&digest.as_ref()[..8]);
    ClientTag(tag)
}

/// The id in a header of the form `Basic base64(id:)`. RFC 7617 2.
fn basic(header: &[u8]) -> Option<String> {
    let (scheme, credentials) = header.split_at_checked("Basic ".len())?;
    if header.len() > limits::TOKEN_BYTES * 2 || !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let credentials = String::from_utf8(STANDARD.decode(credentials.trim_ascii()).ok()?).ok()?;
    credentials.strip_suffix(':').filter(|id| !id.contains(':')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::testing::Bench;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse(text, &[]).unwrap()
    }

    fn seal(bench: &Bench, redirect_uris: &[RedirectUri], name: &str) -> Result<String, Full> {
        Client::seal(&bench.world(), &bench.ring, &Registering { redirect_uris, name, is_device: true })
    }

    fn authenticate(bench: &Bench, form: &str, authorization: Option<&str>) -> Result<Client, Error> {
        let parameters = Parameters::parse(form.as_bytes(), limits::FORM_BYTES).unwrap();
        Client::authenticate(&bench.ring, &parameters, authorization.map(str::as_bytes))
    }

    #[test]
    fn a_client_id_that_was_tampered_with_is_forged() {
        let bench = Bench::new();
        let client_id = bench.client_id();
        assert!(Client::open(&bench.ring, &client_id).is_ok());
        for position in 0..client_id.len() {
            let mut tampered = client_id.clone().into_bytes();
            tampered[position] = if tampered[position] == b'A' { b'B' } else { b'A' };
            assert!(Client::open(&bench.ring, std::str::from_utf8(&tampered).unwrap()).is_err(), "{position}");
        }
        for text in ["", "A", &client_id[1..], &format!("{client_id}="), &"A".repeat(10_000), &"A".repeat(1 << 20)] {
            assert!(Client::open(&bench.ring, text).is_err(), "{text:.50}");
        }
    }

    #[test]
    fn another_kind_of_token_is_no_client_id() {
        let bench = Bench::new();
        let payload = Writer::<64>::new().array(&[0; 6]).u16(0).u8(0).text("").finish().unwrap();
        assert!(Client::open(&bench.ring, &bench.ring.seal(Purpose::Client, &payload)).is_ok());
        assert!(Client::open(&bench.ring, &bench.ring.seal(Purpose::Code, &payload)).is_err());
    }

    #[test]
    fn a_client_id_is_good_after_a_rotation_until_its_key_is_gone() {
        let bench = Bench::new();
        let client_id = bench.client_id();
        let mut ring = bench.ring.rotated(&bench.world());
        assert!(Client::open(&ring, &client_id).is_ok());
        for _ in 0..limits::RING_KEYS {
            ring = ring.rotated(&bench.world());
        }
        assert!(Client::open(&ring, &client_id).is_err());
    }

    #[test]
    fn a_client_that_says_nothing_or_something_else_is_refused() {
        let bench = Bench::new();
        let client_id = bench.client_id();
        assert_eq!(authenticate(&bench, "", None).unwrap_err().status(), 401);
        assert_eq!(authenticate(&bench, "client_id=forged", None).unwrap_err().error(), "invalid_client");
        assert_eq!(authenticate(&bench, "client_id=a&client_id=a", None).unwrap_err().error(), "invalid_request");
        let secret = format!("client_id={client_id}&client_secret=guess");
        assert_eq!(authenticate(&bench, &secret, None).unwrap_err().error(), "invalid_client");
    }

    #[test]
    fn a_basic_header_that_is_malformed_is_refused_with_a_challenge() {
        let bench = Bench::new();
        let client_id = bench.client_id();
        let with_secret = STANDARD.encode(format!("{client_id}:secret"));
        let no_colon = STANDARD.encode(&client_id);
        for value in ["", "!", "=", &with_secret, &no_colon, &STANDARD.encode([0xff, b':']), &"A".repeat(1 << 20)] {
            let error = authenticate(&bench, "", Some(&format!("Basic {value}"))).unwrap_err();
            assert_eq!(
                (error.status(), error.error(), error.challenge().is_some()),
                (401, "invalid_client", true),
                "{value:.50}"
            );
        }
        let good = format!("Basic {}", STANDARD.encode(format!("{client_id}:")));
        assert!(authenticate(&bench, "client_id=other", Some(&good)).is_err());
        assert!(authenticate(&bench, "", Some(&good.replace("Basic", "Bearer"))).is_err());
        assert!(authenticate(&bench, "", Some(&good)).is_ok());
        assert!(authenticate(&bench, &format!("client_id={client_id}"), Some(&good.replace("Basic", "bASIC"))).is_ok());
    }

    #[test]
    fn a_client_has_the_redirect_uris_that_it_registered() {
        let bench = Bench::new();
        let uris = [uri("http://localhost:1/a"), uri("http://127.0.0.1/b")];
        let client_id = seal(&bench, &uris, "name").unwrap();
        let client = Client::open(&bench.ring, &client_id).unwrap();
        assert!(client.has(&uri("http://localhost:2/a")) && client.has(&uri("http://127.0.0.1:9/b")));
        for other in ["http://localhost:1/b", "http://127.0.0.1/a", "http://localhost:1/", "http://[::1]/a"] {
            assert!(!client.has(&uri(other)), "{other}");
        }
    }

    #[test]
    fn the_largest_registration_has_room_and_fits_into_a_token() {
        let bench = Bench::new();
        let uris: Vec<_> = (0..limits::REDIRECT_URIS).map(|n| uri(&format!("http://localhost/{n}"))).collect();
        let name = "n".repeat(limits::CLIENT_NAME_BYTES);
        let client_id = seal(&bench, &uris, &name).unwrap();
        assert!(client_id.len() < 256, "{}", client_id.len());
        assert_eq!(Client::open(&bench.ring, &client_id).unwrap().name, name.as_str());
    }

    #[test]
    fn equal_registrations_are_two_clients() {
        let bench = Bench::new();
        assert_ne!(bench.client_id(), bench.client_id());
    }

    #[test]
    fn a_name_is_cleaned_of_what_cannot_be_seen() {
        assert_eq!(cleaned("  a\0b\r\n\u{1b}[31mc\u{202e}d\u{200b}\u{feff}\u{2066}e\u{7f}\u{85} "), "ab[31mcde");
        assert_eq!(cleaned("<script>"), "<script>");
        assert_eq!(cleaned(&"é".repeat(100)).len(), limits::CLIENT_NAME_BYTES);
        assert_eq!(cleaned("\n"), "");
    }
}
