//! Logging in: a password becomes a profile.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;

use mls_core::address::{AddressError, Network, UserId};
use mls_core::delivery::DeliveryError;
use mls_core::limits::NAME_BYTES_MAX;
use mls_core::member::{AskAuthorities, Command, Input, Member};
use mls_core::seal::Sealer;
use mls_core::service::domain_of_service;
use mls_core::store::StoreError;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::clock::now_ms;
use crate::command_line::{MatrixLogin, XmppLogin};
use crate::network::xmpp_setup;
use crate::profile::{EmptyProfile, Profile, ProfileError};
use crate::session::{MatrixSession, Secret, Server, Session, XmppSession, usual_hub};
use crate::user;

/// The longest password, in bytes.
const PASSWORD_BYTES_MAX: u64 = 4096;
/// What people see in an account's list of devices.
const DEVICE_NAME: &str = "mls-bot";

/// The command that a login gives.
const GO_BY: &str = "login-authority";

/// Why there is no new profile.
#[derive(Debug, Error)]
pub enum LoginFailure {
    /// The account is not written as its network writes it.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The password file cannot be read, or holds none.
    #[error("the password cannot be read from {file}: {why}")]
    Password {
        /// The file, or standard input.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// The hub that is to certify the device cannot.
    #[error("--authority: {0}")]
    Authority(String),
    /// The password would travel in clear.
    #[error("{0}")]
    NotProtected(String),
    /// The server says no.
    #[error("{0}")]
    Refused(String),
    /// The server does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// The system gives no random numbers for a device id.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// The profile's database cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder cannot take a session.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

/// Logs in to a homeserver as a new device, and fills the profile.
pub async fn matrix(folder: &Path, login: MatrixLogin) -> Result<Profile, LoginFailure> {
    use matrix_adapter::client::{LoginError, LoginRequest, log_in};
    let user = UserId::matrix(&login.user)?;
    check_authority(&user, login.authority.as_deref(), login.hub.as_deref())?;
    let empty = EmptyProfile::prepare(folder)?;
    let request = LoginRequest {
        homeserver: login.homeserver,
        user: login.user,
        password: password(&login.password_file)?,
        device_name: DEVICE_NAME.to_owned(),
    };
    let session = log_in(request).await.map_err(|error| match error {
        LoginError::NotProtected(_) => LoginFailure::NotProtected(error.to_string()),
        LoginError::Refused(_) => LoginFailure::Refused(error.to_string()),
        LoginError::Unreachable(_) => LoginFailure::Unreachable(error.to_string()),
    })?;
    let server = Server::Matrix(MatrixSession {
        homeserver: session.homeserver,
        access_token: Secret::new(session.access_token.to_string()),
        hub: login.hub.unwrap_or_else(|| usual_hub(Network::Matrix, &user.domain())),
    });
    let profile = empty.fill(Session::new(&session.user_id, &session.device_id, server)?)?;
    go_by(&profile, login.authority)?;
    Ok(profile)
}

/// Makes a new device of an XMPP account, and fills the profile when the password is right.
pub async fn xmpp(folder: &Path, login: XmppLogin) -> Result<Profile, LoginFailure> {
    let user = user::from_human(&login.user)?;
    if user.network() != Network::Xmpp {
        UserId::xmpp(&login.user)?;
    }
    check_authority(&user, login.authority.as_deref(), login.hub.as_deref())?;
    let empty = EmptyProfile::prepare(folder)?;
    let password = password(&login.password_file)?;
    let server = XmppSession {
        server: login.server,
        password: Secret::new(password.to_string()),
        hub: login.hub.unwrap_or_else(|| usual_hub(Network::Xmpp, &user.domain())),
    };
    // An XMPP device id belongs to the installation, not to a session's resource.
    let device = format!("{:016x}", getrandom::u64()?);
    let session = Session::new(&user.address(), &device, Server::Xmpp(server.clone()))?;
    let sealer = Sealer::new(session.client().user(), &mls_core::crypto::Crypto::system());
    let sealer = sealer.map_err(|error| LoginFailure::Refused(error.to_string()))?;
    let setup = xmpp_setup(session.client(), &server, sealer);
    let tried = xmpp_adapter::client::check_login(setup).await;
    tried.map_err(|error| match error {
        DeliveryError::Later { why, .. } => LoginFailure::Unreachable(why),
        DeliveryError::Refused { why } => LoginFailure::Refused(why),
    })?;
    let profile = empty.fill(session)?;
    go_by(&profile, login.authority)?;
    Ok(profile)
}

/// Only for an account of another domain than the hub's, and a hub of its own domain.
fn check_authority(
    user: &UserId,
    authority: Option<&str>,
    hub: Option<&str>,
) -> Result<(), LoginFailure> {
    let Some(authority) = authority else { return Ok(()) };
    let domain = user.domain();
    let is_own = |address: &str| domain_of_service(user.network(), address) == Some(&*domain);
    let refused = |why: String| Err(LoginFailure::Authority(why));
    if !is_own(authority) || authority.len() > NAME_BYTES_MAX {
        refused(format!(
            "{authority} is no address of a hub of {domain}, which has to certify this account"
        ))
    } else if hub.is_some_and(is_own) {
        refused(format!(
            "the hub that --hub names is of {domain} itself, and certifies this account: leave it out"
        ))
    } else if user.network() == Network::Xmpp && authority != authority.to_lowercase() {
        refused(format!("write {authority} in small letters, as it comes back"))
    } else {
        Ok(())
    }
}

/// Has the device ask its own domain's hub for its authorities, and be certified there, as soon as it connects: what
/// it publishes waits for that.
fn go_by(profile: &Profile, hub: Option<String>) -> Result<(), LoginFailure> {
    let Some(hub) = hub else { return Ok(()) };
    let database = profile.database()?;
    let (mut member, writes) = Member::open(Arc::new(database.clone()), profile.client().clone())?;
    database.commit(&writes)?;
    let domain = profile.client().user().domain();
    let command = Command::AskAuthorities(AskAuthorities { domain, hub });
    let asked = member.handle(now_ms(), Input::Command(GO_BY.to_owned(), command))?;
    Ok(database.commit(&asked.writes)?)
}

/// The first line of a file, or of standard input for `-`.
fn password(file: &Path) -> Result<Zeroizing<String>, LoginFailure> {
    let from_stdin = file.as_os_str() == "-";
    let shown = if from_stdin { "standard input".into() } else { file.display().to_string() };
    let unfit = |why: String| LoginFailure::Password { file: shown.clone(), why };
    let text = match from_stdin {
        // A person types it: without showing it.
        true if io::stdin().is_terminal() => {
            rpassword::prompt_password("Password: ").map(Zeroizing::new)
        }
        true => read(io::stdin()),
        false => File::open(file).and_then(read),
    };
    let text = text.map_err(|error| unfit(error.to_string()))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.to_owned())),
        _ => Err(unfit("its first line is empty".to_owned())),
    }
}

fn read(from: impl Read) -> io::Result<Zeroizing<String>> {
    // Large enough never to be moved, for what is left behind is not wiped.
    let mut text = Zeroizing::new(String::with_capacity(PASSWORD_BYTES_MAX as usize + 1));
    from.take(PASSWORD_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_authority_is_for_who_goes_by_the_hub_of_another_domain() {
        let carol = UserId::matrix("@carol:b.org").unwrap();
        let juliet = UserId::xmpp("juliet@y.org").unwrap();
        for (user, authority, hub, fits) in [
            (&carol, None, None, true),
            (&carol, Some("@mls:b.org"), Some("@mls:a.org"), true),
            (&carol, Some("@mls:a.org"), Some("@mls:a.org"), false),
            (&carol, Some("@other:b.org"), Some("@mls:b.org"), false),
            (&juliet, Some("mls.y.org"), Some("mls.x.org"), true),
            (&juliet, Some("MLS.y.org"), Some("mls.x.org"), false),
            (&juliet, Some("mls.y.org"), Some("mls.y.org"), false),
        ] {
            let checked = check_authority(user, authority, hub);
            assert_eq!(checked.is_ok(), fits, "{authority:?} beside {hub:?}: {checked:?}");
        }
    }

    #[test]
    fn the_password_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        for (content, expected) in [
            ("secret", Some("secret")),
            ("secret\n", Some("secret")),
            ("secret\r\nmore\n", Some("secret")),
            (" spaces stay \n", Some(" spaces stay ")),
            ("", None),
            ("\nsecret\n", None),
        ] {
            std::fs::write(&file, content).unwrap();
            let read = password(&file).ok().map(|password| password.to_string());
            assert_eq!(read.as_deref(), expected, "{content:?}");
        }
    }

    #[test]
    fn a_missing_password_file_is_named() {
        let error = password(Path::new("/nowhere/password")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/password"), "{error}");
    }
}
