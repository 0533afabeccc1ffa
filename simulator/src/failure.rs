//! What a run may end in instead of an agreement.

use mls_core::store::StoreError;
use thiserror::Error;

/// A promise that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {what}", rule.sentence())]
pub struct Failure {
    /// The promise.
    pub rule: Rule,
    /// What was seen instead.
    pub what: String,
}

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// No input makes hub or member fail, or panic.
    NeverFails,
    /// Once faults end, everything comes to rest.
    ComesToRest,
    /// One commit an epoch, one handshake a place in the order.
    OneWinner,
    /// Whoever is in an epoch sees the same members and secrets as everybody else in it.
    SameState,
    /// Hub and members end in the same epoch with the same members.
    Agreement,
    /// What was confirmed as sent is read by everybody who was, and stayed, a member.
    NothingLost,
    /// No message is shown twice, and no event number is given twice.
    NothingTwice,
    /// A message is shown under who sent it.
    RightSender,
    /// Messages of one device are shown in the order in which it sent them.
    InOrder,
    /// Every command ends, once.
    CommandsEnd,
    /// Nobody sees a handshake or a message that cannot be.
    NoFalseAlarm,
    /// Rooms hold who is in the group.
    RoomsFollow,
    /// Who asked for a fresh signature key in a group has another one than before.
    FreshKey,
    /// Who is in a group has a certificate in its leaf that is not over.
    Certified,
    /// A group whose place another one took goes on no more.
    EndedStays,
    /// Everybody whom its maker knew is in the group that took another's place, or somebody is told.
    Replaced,
    /// Who was invited came in, and nobody else.
    LetIn,
    /// What was given again, or taken back, is done once.
    DoneOnce,
    /// Nobody is put out of a group whom nobody wanted out, before the policy's time.
    NobodyGoesEarly,
}

impl Rule {
    /// The promise in words.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NeverFails => "hub and members never fail",
            Self::ComesToRest => "without faults everything comes to rest",
            Self::OneWinner => "one handshake wins each place",
            Self::SameState => "an epoch is the same for everybody in it",
            Self::Agreement => "hub and members agree in the end",
            Self::NothingLost => "what was sent is read by everybody who stayed",
            Self::NothingTwice => "nothing is shown twice",
            Self::RightSender => "a message is shown under who sent it",
            Self::InOrder => "a device's messages keep their order",
            Self::CommandsEnd => "every command ends once",
            Self::NoFalseAlarm => "nobody is warned of what did not happen",
            Self::RoomsFollow => "rooms hold who is in the group",
            Self::FreshKey => "a fresh key is another one",
            Self::Certified => "members have certificates that are good",
            Self::EndedStays => "a group that was replaced goes on no more",
            Self::Replaced => "a restart brings everybody",
            Self::LetIn => "who was let in came in, and nobody else",
            Self::DoneOnce => "what is wanted twice is done once",
            Self::NobodyGoesEarly => "nobody is put out before the time",
        }
    }

    pub(crate) fn broken(self, what: impl Into<String>) -> Failure {
        Failure { rule: self, what: what.into() }
    }

    /// The promise holds, or this is how it is broken.
    pub(crate) fn holds(self, is: bool, what: impl FnOnce() -> String) -> Result<(), Failure> {
        if is { Ok(()) } else { Err(self.broken(what())) }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Rule::NeverFails.broken(error.to_string())
    }
}
