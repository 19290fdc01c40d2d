//! From the text of the file to a configuration, or to the first thing that is wrong with it.

use super::declared::Tables;
use super::file::{AuthTable, File, MetricsTable, Placed, TlsTable, TokensTable, UserTable};
use super::tree::Named;
use super::{Auth, Config, Lifetimes, Metrics, PemFile, Tls, User, names_of, text, tree};
use crate::error::{Error, Exit};
use crate::limits;
use crate::oauth::Phc;
use crate::principal::Scopes;
use std::mem::take;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The file while it is read: it turns places into lines.
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) path: &'a Path,
}

/// Reads a whole file.
pub(super) fn config(text: &str, path: &Path) -> Result<Config, Error> {
    let source = Source { text, path };
    let mut file: File = tree::read(text).map_err(|fault| source.unread(&fault))?;
    let state = match &file.state {
        Some(state) => source.absolute(state)?,
        None => super::places::state_folder(Some(path))?,
    };
    // One field after the other: a literal with a fault in each would be dropped in as many ways as it has fields.
    let mut config = Config::with_state(state);
    config.file = Some(path.to_owned());
    if let Some(name) = &file.name {
        config.name = source.checked(name, board_name)?;
    }
    config.allowed = source.allowed(&file)?;
    if let Some(listen) = &file.listen {
        config.listen = source.each(&listen.0, text::address)?;
    }
    let is_far = config.listen.iter().any(|address| !address.ip().is_loopback());
    (config.auth, config.users) = source.auth(&file.auth, is_far)?;
    (config.tls, config.allow_plain) = source.tls(file.tls.as_ref(), is_far)?;
    config.names = source.each(&file.names, text::host)?;
    for name in names_of(&super::host_name()) {
        if !config.names.contains(&name) {
            config.names.push(name);
        }
    }
    let (tool, resource, prompt) = (take(&mut file.tool), take(&mut file.resource), take(&mut file.prompt));
    config.declared.add(&source, &Tables { tool, resource, prompt })?;
    config.public = source.each(&file.public, text::origin)?;
    config.origins = source.each(&file.origins, text::origin)?;
    config.redirect_uris = source.each(&file.auth.redirect_uris, redirect_uri)?;
    if let Some(audience) = &file.auth.audience {
        config.audience = Some(source.checked(audience, audience_name)?);
    }
    config.tokens = source.lifetimes(&file.tokens)?;
    config.hidden = file.tools.hide.iter().map(|name| name.get_ref().clone()).collect();
    config.confirmed = source.confirmed(&file.tools.confirm)?;
    config.limits = source.limits(&file.limits)?;
    config.metrics = source.metrics(&file.metrics)?;
    config.gpio = source.gpio(&file.gpio)?;
    config.i2c = source.i2c(&file.i2c)?;
    config.listen.iter().try_for_each(|address| config.check(*address)).map_err(|error| error.at(path.display()))?;
    Ok(config)
}

/// The users that a whole file names.
pub(super) fn user_names(text: &str, path: &Path) -> Result<Vec<String>, Error> {
    let file: File = tree::read(text).map_err(|fault| Source { text, path }.unread(&fault))?;
    Ok(file.auth.users.0.into_iter().map(|(name, _)| name.into_inner()).collect())
}

impl Source<'_> {
    fn auth(&self, table: &AuthTable, is_far: bool) -> Result<(Auth, Vec<User>), Error> {
        let users = self.users(&table.users)?;
        let Some(modes) = &table.mode else {
            // Whoever names users wants them to sign in; who lets the network in must let people prove who they are.
            let auth = match (users.is_empty(), is_far) {
                (true, false) => Auth::Demo,
                (true, true) => Auth::Own { users: false, pairing: true },
                (false, _) => Auth::Own { users: true, pairing: false },
            };
            return Ok((auth, users));
        };
        let mut auth = None;
        for mode in &modes.0 {
            let parsed = self.checked(mode, mode_named)?;
            auth = Some(match (auth, parsed) {
                (None, first) => first,
                (Some(Auth::Own { users, pairing }), Auth::Own { users: more, pairing: also }) => {
                    Auth::Own { users: users | more, pairing: pairing | also }
                }
                _ => return Err(self.fault(mode.span(), "only \"users\" and \"pairing\" go together", "Name one mode.")),
            });
        }
        let auth = auth.unwrap_or_default();
        let wants_users = matches!(auth, Auth::Own { users: true, .. });
        match modes.0.first() {
            Some(mode) if wants_users && users.is_empty() => {
                let what = "the mode is \"users\", but there is no user";
                Err(self.fault(mode.span(), what, "Make one: perchd passwd NAME prints the lines to put here."))
            }
            Some(mode) if !wants_users && !users.is_empty() => {
                let what = "there are users, but none can sign in: the mode is another";
                Err(self.fault(mode.span(), what, "Add \"users\" to the mode, or take [auth.users] out."))
            }
            _ => Ok((auth, users)),
        }
    }

    fn users(&self, users: &Named<UserTable>) -> Result<Vec<User>, Error> {
        if let Some((name, _)) = users.0.get(limits::USERS) {
            let what = format!("there are more than {} users", limits::USERS);
            return Err(self.fault(name.span(), what, "Boards have few; several people can share one."));
        }
        let user = |(name, table): &(Placed<String>, UserTable)| {
            let name = self.checked(name, user_name)?;
            let password = self.checked(&table.password, password_hash)?;
            let scopes = table.scopes.as_ref().map(|scopes| self.each(scopes, scope)).transpose()?;
            let scopes = scopes.map(|scopes| Scopes::parse(&scopes.join(" "), |_| true));
            Ok(User { name, password, scopes })
        };
        users.0.iter().map(user).collect()
    }

    fn lifetimes(&self, table: &TokensTable) -> Result<Lifetimes, Error> {
        let access = |text: &str| text::secs(text, limits::ACCESS_SECS_MIN, limits::ACCESS_SECS_MAX);
        let refresh = |text: &str| text::secs(text, limits::REFRESH_SECS_MIN, limits::REFRESH_SECS_MAX);
        let default = Lifetimes::default();
        let access_secs = table.access.as_ref().map_or(Ok(default.access_secs), |value| self.checked(value, access))?;
        let refresh_secs = table.refresh.as_ref().map_or(Ok(default.refresh_secs), |value| self.checked(value, refresh))?;
        match table.refresh.as_ref().or(table.access.as_ref()) {
            Some(value) if refresh_secs < access_secs => {
                let what = "a refresh token would end before the access token that came with it";
                Err(self.fault(value.span(), what, "Write a longer time for refresh, or a shorter one for access."))
            }
            _ => Ok(Lifetimes { access_secs, refresh_secs }),
        }
    }

    fn tls(&self, table: Option<&Placed<TlsTable>>, is_far: bool) -> Result<(Tls, bool), Error> {
        let default = if is_far { Tls::Own } else { Tls::Off };
        let Some(placed) = table else { return Ok((default, false)) };
        let table = placed.get_ref();
        let files = match (&table.certificate, &table.key) {
            (Some(certificate), Some(key)) => Some(Tls::Files { certificate: self.pem(certificate)?, key: self.pem(key)? }),
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => {
                let what = "certificate and key go together";
                return Err(self.fault(one.span(), what, "Name the other file as well, or leave both out."));
            }
        };
        let tls = match (table.mode.as_ref().map(|mode| (mode, mode.get_ref().as_str())), files) {
            (None, Some(files)) => files,
            (None, None) => default,
            (Some((_, "off")), None) => Tls::Off,
            (Some((_, "own")), None) => Tls::Own,
            (Some((mode, "off" | "own")), Some(_)) => {
                let what = "there is a mode and a certificate, which contradict each other";
                return Err(self.fault(mode.span(), what, "Take one of them out."));
            }
            (Some((mode, _)), _) => {
                return Err(self.fault(
                    mode.span(),
                    "mode is \"own\" or \"off\"",
                    "Or leave it out and name certificate and key.",
                ));
            }
        };
        Ok((tls, table.allow_plain))
    }

    fn pem(&self, path: &Placed<PathBuf>) -> Result<PemFile, Error> {
        Ok(PemFile { path: self.absolute(path)?, place: Some(self.place(Some(path.span()))) })
    }

    fn metrics(&self, table: &MetricsTable) -> Result<Option<Metrics>, Error> {
        let named = table.scope.as_ref();
        let scope = named.map_or(Ok("system:read".to_owned()), |named| self.checked(named, scope))?;
        match named {
            Some(named) if table.public => {
                let what = "metrics that are public need no scope";
                Err(self.fault(named.span(), what, "Take scope out, or public."))
            }
            _ => Ok(table.enabled.then(|| Metrics { scope: (!table.public).then_some(scope) })),
        }
    }

    pub(super) fn absolute(&self, path: &Placed<PathBuf>) -> Result<PathBuf, Error> {
        if path.get_ref().is_absolute() {
            return Ok(path.get_ref().clone());
        }
        let what = format!("`{}` is not absolute", path.get_ref().display());
        Err(self.fault(path.span(), what, "Write the whole path: it begins with a slash."))
    }

    fn each<T>(&self, values: &[Placed<String>], parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, Error> {
        values.iter().map(|value| self.checked(value, &parse)).collect()
    }

    pub(super) fn checked<T>(&self, value: &Placed<String>, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, Error> {
        parse(value.get_ref()).map_err(|what| self.fault(value.span(), what, "Then look again: perchd check"))
    }

    pub(super) fn fault(&self, span: Range<usize>, what: impl Into<String>, remedy: &str) -> Error {
        Error::new(Exit::Config, what).at(self.place(Some(span))).remedy(remedy)
    }

    /// What the parser says, without the line that it quotes: there may be a hash in it.
    pub(super) fn unread(&self, fault: &tree::Fault) -> Error {
        let what = fault.what.lines().collect::<Vec<_>>().join("; ");
        let remedy = "Mend this line; the README names every key. Then look again: perchd check";
        Error::new(Exit::Config, what).at(self.place(fault.span.clone())).remedy(remedy)
    }

    pub(super) fn place(&self, span: Option<Range<usize>>) -> String {
        let before = span.and_then(|span| self.text.get(..span.start)).unwrap_or_default();
        format!("{}:{}", self.path.display(), before.matches('\n').count() + 1)
    }
}

fn mode_named(name: &str) -> Result<Auth, String> {
    Auth::parse(name).ok_or_else(|| format!("`{name}` is no mode: there are \"users\", \"pairing\", \"demo\" and \"open\""))
}

fn board_name(name: &str) -> Result<String, String> {
    if (1..=64).contains(&name.len()) && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    Err("the name of the board has 1 to 64 bytes and no control characters".to_owned())
}

fn audience_name(name: &str) -> Result<String, String> {
    if (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(name.to_owned());
    }
    Err("an audience is a word of 1 to 64 letters, digits and marks, the same on every board that shares the keys".to_owned())
}

pub(crate) fn user_name(name: &str) -> Result<String, String> {
    let is_good = (1..=limits::SUBJECT_BYTES).contains(&name.len()) && !name.chars().any(|c| c.is_control() || c.is_whitespace());
    if is_good {
        Ok(name.to_owned())
    } else {
        Err(format!("the name of a user has 1 to {} bytes and no spaces", limits::SUBJECT_BYTES))
    }
}

/// What is wrong with it is said without it.
fn password_hash(hash: &str) -> Result<Phc, String> {
    Phc::parse(hash).map_err(str::to_owned)
}

fn scope(name: &str) -> Result<String, String> {
    let is_token = !name.is_empty() && name.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    if is_token { Ok(name.to_owned()) } else { Err(format!("`{name}` is no scope, such as \"system:read\"")) }
}

fn redirect_uri(uri: &str) -> Result<String, String> {
    let rest = uri.strip_prefix("https://").filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let is_good =
        rest.is_some() && uri.len() <= limits::REDIRECT_URI_BYTES && uri.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    if is_good {
        Ok(uri.to_owned())
    } else {
        Err(format!("`{uri}` is no https address without a fragment; loopback ones are always allowed"))
    }
}
