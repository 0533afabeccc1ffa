//! What a device's user can want of a group beside the plainest things, and its words in a step.

use mls_core::address::UserId;
use mls_core::bridge_group::Order;
use mls_core::group_settings::{JoinPsk, Settings};
use mls_core::member::{
    Command, HoldPsk, ProposeCommand, ReInitCommand, SettingsCommand, UsePastEpoch, UsePsk, Wish,
};
use mls_core::wire::GroupId;

use crate::step::User;

/// An external PSK, by a number that everybody knows it by.
pub type Psk = u8;

/// Something to want of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named by what their types are")]
pub enum Operation {
    /// Anybody in a room's list may join, or nobody any more.
    Open(bool),
    /// Every member may add, or admins only.
    MembersMayAdd(bool),
    /// An account becomes an admin.
    Admin(User),
    /// An account is an admin no longer.
    NoAdmin(User),
    /// External commits need this PSK, or none.
    JoinPsk(Option<Psk>),
    /// The device holds a PSK, which people handed over, and says so.
    Hold(Psk),
    /// A PSK goes into the key schedule, also if somebody lacks it.
    UsePsk { psk: Psk, anyway: bool },
    /// The resumption PSK of an epoch so many before this one goes into the key schedule.
    PastEpoch { back: u64 },
    /// A fresh leaf is proposed by reference.
    ProposeUpdate,
    /// Somebody is proposed by reference.
    ProposeAdd(User),
    /// Somebody's removal is proposed by reference.
    ProposeRemove(User),
    /// The group starts anew, with this suite, and perhaps as one that anybody in a room's list may join.
    ReInit { suite: u16, opens: bool },
    /// The device joins by external commit.
    Join,
    /// Who orders the group from now on.
    Order(Order),
    /// The device takes a fresh signature key in the group.
    ChangeKey,
    /// The device takes fresh signature keys everywhere.
    RotateEverywhere,
    /// A new group takes the place of this one.
    Restart,
    /// The device asks to be let in.
    Knock,
    /// The group takes no leaf without a certificate, or any.
    Certified(bool),
    /// The device and an account make a group of their own of this one.
    Branch(User),
}

impl Operation {
    /// The words of a step: what stands before device and group, and what after them.
    pub(crate) fn words(self) -> (&'static str, String) {
        let user = |user| format!("u{user}");
        match self {
            Self::Open(true) => ("open", String::new()),
            Self::Open(false) => ("close", String::new()),
            Self::MembersMayAdd(true) => ("may-add", String::new()),
            Self::MembersMayAdd(false) => ("may-not-add", String::new()),
            Self::Admin(who) => ("admin", user(who)),
            Self::NoAdmin(who) => ("no-admin", user(who)),
            Self::JoinPsk(Some(psk)) => ("join-psk", format!("p{psk}")),
            Self::JoinPsk(None) => ("no-join-psk", String::new()),
            Self::Hold(psk) => ("hold", format!("p{psk}")),
            Self::UsePsk { psk, anyway: false } => ("use", format!("p{psk}")),
            Self::UsePsk { psk, anyway: true } => ("use-anyway", format!("p{psk}")),
            Self::PastEpoch { back } => ("past-epoch", back.to_string()),
            Self::ProposeUpdate => ("propose-update", String::new()),
            Self::ProposeAdd(who) => ("propose-add", user(who)),
            Self::ProposeRemove(who) => ("propose-remove", user(who)),
            Self::ReInit { suite, opens: false } => ("reinit", suite.to_string()),
            Self::ReInit { suite, opens: true } => ("reinit-open", suite.to_string()),
            Self::Join => ("join", String::new()),
            Self::Order(Order::Room) => ("order-room", String::new()),
            Self::Order(Order::Hub) => ("order-hub", String::new()),
            Self::ChangeKey => ("change-key", String::new()),
            Self::RotateEverywhere => ("rotate-everywhere", String::new()),
            Self::Restart => ("restart", String::new()),
            Self::Knock => ("knock", String::new()),
            Self::Certified(true) => ("certified", String::new()),
            Self::Certified(false) => ("not-certified", String::new()),
            Self::Branch(who) => ("branch", user(who)),
        }
    }

    /// What [`Operation::words`] wrote.
    pub(crate) fn parse(name: &str, rest: &[&str]) -> Option<Self> {
        let number = |letter: &str| match rest {
            [word] => word.strip_prefix(letter)?.parse::<usize>().ok(),
            _ => None,
        };
        let psk = || number("p").and_then(|psk| Psk::try_from(psk).ok());
        let plain = match name {
            "open" => Self::Open(true),
            "close" => Self::Open(false),
            "may-add" => Self::MembersMayAdd(true),
            "may-not-add" => Self::MembersMayAdd(false),
            "no-join-psk" => Self::JoinPsk(None),
            "propose-update" => Self::ProposeUpdate,
            "join" => Self::Join,
            "order-room" => Self::Order(Order::Room),
            "order-hub" => Self::Order(Order::Hub),
            "change-key" => Self::ChangeKey,
            "rotate-everywhere" => Self::RotateEverywhere,
            "restart" => Self::Restart,
            "knock" => Self::Knock,
            "certified" => Self::Certified(true),
            "not-certified" => Self::Certified(false),
            "admin" => return number("u").map(Self::Admin),
            "no-admin" => return number("u").map(Self::NoAdmin),
            "branch" => return number("u").map(Self::Branch),
            "propose-add" => return number("u").map(Self::ProposeAdd),
            "propose-remove" => return number("u").map(Self::ProposeRemove),
            "join-psk" => return psk().map(|psk| Self::JoinPsk(Some(psk))),
            "hold" => return psk().map(Self::Hold),
            "use" => return psk().map(|psk| Self::UsePsk { psk, anyway: false }),
            "use-anyway" => return psk().map(|psk| Self::UsePsk { psk, anyway: true }),
            "past-epoch" => return Some(Self::PastEpoch { back: rest.first()?.parse().ok()? }),
            "reinit" | "reinit-open" => {
                let (suite, opens) = (rest.first()?.parse().ok()?, name == "reinit-open");
                return Some(Self::ReInit { suite, opens });
            }
            _ => return None,
        };
        rest.is_empty().then_some(plain)
    }

    /// The account that it is about.
    pub(crate) fn user(self) -> Option<User> {
        match self {
            Self::Admin(who) | Self::NoAdmin(who) | Self::Branch(who) => Some(who),
            Self::ProposeAdd(who) | Self::ProposeRemove(who) => Some(who),
            _ => None,
        }
    }

    /// The command for it, for a group in this epoch; [`Operation::Join`] and [`Operation::Knock`] name
    /// a room instead, and [`Operation::Branch`] wants rooms.
    pub(crate) fn command(self, group: GroupId, epoch: u64, users: Vec<UserId>) -> Option<Command> {
        let of = |settings| {
            Some(Command::ChangeSettings(SettingsCommand { group: group.clone(), settings }))
        };
        let propose = |wish| Some(Command::Propose(ProposeCommand { group: group.clone(), wish }));
        let none = Settings::default;
        match self {
            Self::Open(open) => of(Settings { open_join: Some(open), ..none() }),
            Self::MembersMayAdd(may) => of(Settings { members_may_add: Some(may), ..none() }),
            Self::Admin(_) => of(Settings { admins_add: users, ..none() }),
            Self::NoAdmin(_) => of(Settings { admins_remove: users, ..none() }),
            Self::JoinPsk(psk) => {
                let psk = psk.map(id).unwrap_or_default();
                of(Settings { join_psk: Some(JoinPsk(psk)), ..none() })
            }
            Self::Hold(psk) => {
                let secret = vec![psk; 32].into();
                Some(Command::HoldPsk(HoldPsk { group, id: id(psk), secret }))
            }
            Self::UsePsk { psk, anyway } => {
                Some(Command::UsePsk(UsePsk { group, id: id(psk), anyway }))
            }
            Self::PastEpoch { back } => {
                let epoch = epoch.saturating_sub(back);
                Some(Command::UsePastEpoch(UsePastEpoch { group, epoch }))
            }
            Self::ProposeUpdate => propose(Wish::Update),
            Self::ProposeAdd(_) => propose(Wish::Add(users)),
            Self::ProposeRemove(_) => propose(Wish::Remove(users)),
            Self::ReInit { suite, opens } => {
                let settings = Settings { open_join: opens.then_some(true), ..none() };
                Some(Command::ReInit(ReInitCommand { group, suite, settings }))
            }
            Self::Order(order) => of(Settings { order: Some(order), ..none() }),
            Self::Certified(only) => of(Settings { basic_allowed: Some(!only), ..none() }),
            Self::ChangeKey => Some(Command::ChangeKey(group)),
            Self::RotateEverywhere => Some(Command::RotateEverywhere),
            Self::Restart => Some(Command::Restart(group)),
            Self::Join | Self::Knock | Self::Branch(_) => None,
        }
    }

    /// Whether it may shut out members on purpose.
    pub(crate) fn shuts_out(self) -> bool {
        matches!(self, Self::UsePsk { anyway: true, .. } | Self::PastEpoch { .. })
    }
}

fn id(psk: Psk) -> Vec<u8> {
    format!("p{psk}").into_bytes()
}
