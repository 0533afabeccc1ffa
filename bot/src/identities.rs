//! Identity keys as people use them: their own, on each of their devices, and those that they verify.

use clap::{Args, Subcommand};
use mls_core::address::UserId;
use mls_core::member::{Command, IdentityCommand, VerifyUser};
use mls_core::user_identity::{
    DeviceRequest, DeviceStatement, Mismatch, ScannedKeys, Verification,
};

use crate::exit::Exit;
use crate::handle::Bot;
use crate::identity_text::Carried;
use crate::json::IdentityLine;
use crate::runner::RunError;
use crate::user;

/// What to do with one's own identity key.
#[derive(Debug, Subcommand)]
pub enum Identity {
    /// Make your identity key on this device, which it never leaves, and sign this device with it
    Create {
        /// Also where another device made one that is lost: who verified you is alarmed, and verifies anew
        #[arg(long)]
        replace: bool,
    },
    /// Print a line that asks your first device to sign this one
    Request,
    /// Sign another device of yours, by the line that `identity request` printed there
    Sign {
        /// The line; compare the device key's fingerprint with what the other device shows
        request: String,
    },
    /// Take the line that `identity sign` printed
    Accept {
        /// The line
        statement: String,
    },
}

/// Whom to verify, and how.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("how").multiple(false)))]
pub struct Verify {
    /// The user, who shares a group with you
    pub user: String,
    /// The digits that they read out to you, in quotes
    #[arg(long, group = "how", value_name = "DIGITS")]
    pub digits: Option<String>,
    /// The text of the QR code that they show you
    #[arg(long, group = "how", value_name = "TEXT")]
    pub scanned: Option<String>,
    /// Take your word back
    #[arg(long, group = "how")]
    pub forget: bool,
}

/// What can be wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityWish {
    /// What this device has.
    Show,
    /// A line for the first device.
    Request,
    /// Another device is to be signed.
    Sign(DeviceRequest),
    /// What is to be compared with a user.
    Compare(UserId),
    /// The digits that a user read out.
    Digits(UserId, String),
    /// The code that a user showed.
    Scanned(UserId, ScannedKeys),
    /// A person's word, which is kept.
    Said(IdentityCommand),
}

/// What comes of it.
pub(crate) enum Answer {
    /// Something to show.
    Show(Box<IdentityLine>),
    /// A command to keep.
    Command(Command),
    /// One sentence that says why not.
    Refused(String),
}

impl Identity {
    /// What it means.
    pub(crate) fn wish(self) -> Result<IdentityWish, Exit> {
        Ok(match self {
            Self::Create { replace } => IdentityWish::Said(IdentityCommand::Create(replace)),
            Self::Request => IdentityWish::Request,
            Self::Sign { request } => {
                IdentityWish::Sign(DeviceRequest::from_line(&request).map_err(Exit::Usage)?)
            }
            Self::Accept { statement } => {
                let statement = DeviceStatement::from_line(&statement).map_err(Exit::Usage)?;
                IdentityWish::Said(IdentityCommand::Accept(statement))
            }
        })
    }
}

impl Verify {
    /// What it means.
    pub(crate) fn wish(self) -> Result<IdentityWish, Exit> {
        let user = user::from_human(&self.user).map_err(|e| Exit::Usage(e.to_string()))?;
        wish_of(user, self.digits, self.scanned, self.forget).map_err(Exit::Usage)
    }
}

/// Verifying a user by digits or a scanned text, forgetting them, or else showing what to compare.
pub(crate) fn wish_of(
    user: UserId,
    digits: Option<String>,
    scanned: Option<String>,
    forget: bool,
) -> Result<IdentityWish, String> {
    Ok(match (digits, scanned, forget) {
        (Some(digits), None, false) => IdentityWish::Digits(user, digits),
        (None, Some(text), false) => IdentityWish::Scanned(user, ScannedKeys::from_line(&text)?),
        (None, None, true) => IdentityWish::Said(IdentityCommand::Forget(user)),
        (None, None, false) => IdentityWish::Compare(user),
        _ => return Err("name one of digits, scanned and forget".to_owned()),
    })
}

/// Does what needs no keeping, and says what is to be kept.
pub(crate) async fn answer(
    bot: &Bot,
    id: Option<String>,
    wish: IdentityWish,
) -> Result<Answer, RunError> {
    let show = |line| Answer::Show(Box::new(line));
    Ok(match wish {
        IdentityWish::Show => show(IdentityLine::summary(id, &bot.identity().await?)),
        IdentityWish::Request => show(IdentityLine::request(id, &bot.device_request().await?)),
        IdentityWish::Sign(request) => match bot.sign_device(request).await? {
            Ok(statement) => show(IdentityLine::statement(id, &statement)),
            Err(why) => Answer::Refused(why.to_string()),
        },
        IdentityWish::Compare(user) => match bot.verification(user).await? {
            Ok(seen) => show(IdentityLine::verification(id, &seen)),
            Err(why) => Answer::Refused(why.to_string()),
        },
        IdentityWish::Digits(user, digits) => {
            verified(bot, user, |seen| seen.by_digits(&digits)).await?
        }
        IdentityWish::Scanned(user, code) => {
            verified(bot, user, |seen| seen.by_code(&code)).await?
        }
        IdentityWish::Said(said) => Answer::Command(Command::Identity(said)),
    })
}

async fn verified(
    bot: &Bot,
    user: UserId,
    compare: impl FnOnce(&Verification) -> Result<mls_core::user_identity::Ed25519Key, Mismatch>,
) -> Result<Answer, RunError> {
    let seen = match bot.verification(user.clone()).await? {
        Ok(seen) => seen,
        Err(why) => return Ok(Answer::Refused(why.to_string())),
    };
    Ok(match compare(&seen) {
        Ok(key) => {
            let said = IdentityCommand::Verify(VerifyUser { user, key });
            Answer::Command(Command::Identity(said))
        }
        Err(mismatch) => Answer::Refused(mismatch.to_string()),
    })
}
