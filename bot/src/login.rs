//! Logging in: a password becomes a profile.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;

use mls_core::address::{AddressError, Network, UserId};
use mls_core::delivery::DeliveryError;
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
const ASK_HOME: &str = "login-authority";

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
    let home = home(&user, login.authority, login.hub.as_deref())?;
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
    ask_first(&profile, home)?;
    Ok(profile)
}

/// Makes a new device of an XMPP account, and fills the profile when the password is right.
pub async fn xmpp(folder: &Path, login: XmppLogin) -> Result<Profile, LoginFailure> {
    let user = user::from_human(&login.user)?;
    if user.network() != Network::Xmpp {
        UserId::xmpp(&login.user)?;
    }
    let home = home(&user, login.authority, login.hub.as_deref())?;
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
    ask_first(&profile, home)?;
    Ok(profile)
}

/// What the device asks first, where its own domain is to certify it: only for an account of another domain than the
/// hub's.
fn home(
    user: &UserId,
    authority: Option<String>,
    hub: Option<&str>,
) -> Result<Option<AskAuthorities>, LoginFailure> {
    let Some(authority) = authority else { return Ok(None) };
    let (network, domain) = (user.network(), user.domain());
    if hub.and_then(|hub| domain_of_service(network, hub)) == Some(&*domain) {
        return Err(LoginFailure::Authority(format!(
            "the hub that --hub names is of {domain} itself, and certifies this account: leave it out"
        )));
    }
    let ask = AskAuthorities { domain, hub: authority };
    ask.check(network).map_err(LoginFailure::Authority)?;
    Ok(Some(ask))
}

/// Has the device ask as soon as it connects: what it publishes waits for that.
fn ask_first(profile: &Profile, ask: Option<AskAuthorities>) -> Result<(), LoginFailure> {
    let Some(ask) = ask else { return Ok(()) };
    let database = profile.database()?;
    let (mut member, writes) = Member::open(Arc::new(database.clone()), profile.client().clone())?;
    database.commit(&writes)?;
    let command = Input::Command(ASK_HOME.to_owned(), Command::AskAuthorities(ask));
    let asked = member.handle(now_ms(), command)?;
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
            let checked = home(user, authority.map(str::to_owned), hub);
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
