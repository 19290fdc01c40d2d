//! The sign-in without a browser here: a code that somebody types elsewhere (RFC 8628).

use super::discovery::Found;
use super::store::Kept;
use super::{Access, failed, plain, tell};
use crate::error::{Error, Exit};
use crate::json::Members;
use crate::limits;
use std::time::{Duration, Instant};

pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

struct Asked {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

impl Asked {
    fn read(body: &[u8]) -> Option<Self> {
        let mut told = Members::read(body)?;
        let read = Asked {
            device_code: told.text("device_code"),
            user_code: told.text("user_code"),
            verification_uri: told.text("verification_uri"),
            verification_uri_complete: told.text_if_any("verification_uri_complete"),
            expires_in: told.number("expires_in"),
            interval: told.number_if_any("interval"),
        };
        told.sound(read)
    }
}

impl Access {
    pub(super) async fn by_device(&self, found: &Found, kept: &mut Kept, scope: &str) -> Result<String, Error> {
        let none = || failed("the server lets nobody in by a code").remedy("Leave --device out, where there is a browser.");
        let endpoint = self.endpoint(found.server.device_authorization_endpoint.as_deref().ok_or_else(none)?)?;
        // A registration for a browser is none for a device.
        self.register(&found.server, kept, "", scope).await?;
        kept.redirect_port = 0;
        let (status, body) = self.form(&endpoint, kept, &[("scope", scope), ("resource", &found.resource)]).await?;
        let asked = Asked::read(&body).ok_or_else(|| failed(&format!("no code came, but status {status}")).at(endpoint))?;
        let whole =
            asked.verification_uri_complete.as_ref().map_or_else(String::new, |uri| format!("Or open {}\n", plain_uri(uri)));
        tell(&format!("Open {} and enter {}\n{whole}", plain_uri(&asked.verification_uri), plain(&asked.user_code)));
        let end = Instant::now() + Duration::from_secs(asked.expires_in.min(limits::SIGN_IN_SECS));
        let mut pause = asked.interval.unwrap_or(5).clamp(1, 60);
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            let fields = [("grant_type", GRANT), ("device_code", &asked.device_code), ("resource", &found.resource)];
            match self.grant(kept, &fields).await? {
                Ok(token) => return Ok(token),
                Err(code) if code == "authorization_pending" => {}
                Err(code) if code == "slow_down" => pause += 5,
                Err(code) => return Err(Error::new(Exit::Permission, format!("the sign-in was refused: {code}"))),
            }
        }
        Err(failed("nobody entered the code in time").remedy("Start it again."))
    }
}

fn plain_uri(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(limits::URL_BYTES).collect()
}
