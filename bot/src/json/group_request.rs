//! The JSON form of commands that change what a group is: settings, pre-shared keys, proposals, a
//! new start. Each has exactly the fields that are written here.

use mls_core::address::{ClientId, RoomAddress, UserId};
use mls_core::bridge_group::Order;
use mls_core::group_settings::{JoinPsk, Settings};
use mls_core::identity::{TrustAnchor, TrustAnchors};
use mls_core::member::{
    AskAuthorities, Command, DomainAnchorsCommand, HoldPsk, ProposeCommand, ReInitCommand,
    SettingsCommand, UsePastEpoch, UsePsk, Wish,
};
use mls_core::wire::{Digest, GroupId};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny};

use crate::group_actions::room;
use crate::knocking;
use crate::user;

/// Names of these commands.
pub(super) const NAMES: [&str; 15] = [
    "trust",
    "ask_authorities",
    "accept_log",
    "revoke",
    "settings",
    "hold_psk",
    "use_psk",
    "use_past_epoch",
    "propose",
    "join",
    "reinit",
    "restart",
    "knock",
    "accept",
    "deny",
];

#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum GroupRequest {
    Settings {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        group: Group,
        #[serde(default)]
        admins_add: Vec<User>,
        #[serde(default)]
        admins_remove: Vec<User>,
        members_may_add: Option<bool>,
        open_join: Option<bool>,
        basic_allowed: Option<bool>,
        join_psk: Option<String>,
        order: Option<By>,
        #[serde(default)]
        anchors_add: Vec<Anchor>,
        #[serde(default)]
        anchors_remove: Vec<Fingerprint>,
    },
    AcceptLog {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        root: Fingerprint,
    },
    Revoke {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        client: Client,
    },
    Trust {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        domain: String,
        certificates: Vec<Hex>,
    },
    AskAuthorities {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        domain: String,
        hub: String,
    },
    HoldPsk {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        group: Group,
        psk: String,
        secret: Hex,
    },
    UsePsk {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        group: Group,
        psk: String,
        #[serde(default)]
        anyway: bool,
    },
    UsePastEpoch {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        group: Group,
        epoch: u64,
    },
    Propose {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        group: Group,
        proposal: Proposal,
        #[serde(default)]
        users: Vec<User>,
    },
    Join {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        room: Room,
    },
    Reinit {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        group: Group,
        suite: u16,
    },
    Restart {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        group: Group,
    },
    Knock {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        room: Room,
    },
    Accept {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        group: Group,
        user: User,
    },
    Deny {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        group: Group,
        user: User,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum By {
    Hub,
    Room,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Proposal {
    Update,
    Add,
    Remove,
}

/// An authority of a domain.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Anchor {
    domain: String,
    certificate: Hex,
}

impl Anchor {
    fn into_anchor(self) -> TrustAnchor {
        TrustAnchor { domain: self.domain, certificate: self.certificate.0 }
    }
}

/// Bytes in hex.
pub(super) struct Hex(Vec<u8>);
/// A SHA-256 in hex.
pub(super) struct Fingerprint(Digest);
/// A client, as it is printed.
pub(super) struct Client(ClientId);
/// A group id in hex.
pub(super) struct Group(GroupId);
/// A user, in any spelling.
pub(super) struct User(UserId);
/// A room id or the bare JID of a MUC.
pub(super) struct Room(RoomAddress);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        hex::decode(text).map(Self).map_err(|_| D::Error::custom("bytes are written in hex"))
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let digest = <[u8; 32]>::try_from(Hex::deserialize(from)?.0);
        let whole = |_| D::Error::custom("a fingerprint has 64 digits");
        digest.map(|digest| Self(Digest(digest))).map_err(whole)
    }
}

impl<'de> Deserialize<'de> for Client {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        ClientId::parse(&String::deserialize(from)?).map(Self).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Group {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = hex::decode(String::deserialize(from)?).ok().filter(|bytes| !bytes.is_empty());
        let group = bytes.map(|bytes| Self(GroupId(bytes)));
        group.ok_or_else(|| D::Error::custom("`group` should be a group id in hex"))
    }
}

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        user::from_human(&String::deserialize(from)?).map(Self).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Room {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(room(&String::deserialize(from)?)))
    }
}

impl GroupRequest {
    /// The command that it means.
    pub(super) fn into_command(self) -> Command {
        match self {
            Self::Settings {
                group,
                admins_add,
                admins_remove,
                members_may_add,
                open_join,
                basic_allowed,
                join_psk,
                order,
                anchors_add,
                anchors_remove,
                ..
            } => {
                let settings = Settings {
                    admins_add: users(admins_add),
                    admins_remove: users(admins_remove),
                    members_may_add,
                    open_join,
                    basic_allowed,
                    join_psk: join_psk.map(|name| JoinPsk(name.into_bytes())),
                    order: order.map(|by| match by {
                        By::Hub => Order::Hub,
                        By::Room => Order::Room,
                    }),
                    anchors_add: anchors_add.into_iter().map(Anchor::into_anchor).collect(),
                    anchors_remove: anchors_remove.into_iter().map(|print| print.0).collect(),
                };
                Command::ChangeSettings(SettingsCommand { group: group.0, settings })
            }
            Self::Revoke { client, .. } => Command::RevokeDevice(client.0),
            Self::AcceptLog { root, .. } => Command::AcceptLog(root.0),
            Self::AskAuthorities { domain, hub, .. } => {
                Command::AskAuthorities(AskAuthorities { domain, hub })
            }
            Self::Trust { domain, certificates, .. } => {
                let anchor = |certificate: Hex| TrustAnchor {
                    domain: domain.clone(),
                    certificate: certificate.0,
                };
                let anchors = TrustAnchors(certificates.into_iter().map(anchor).collect());
                Command::TrustAnchors(DomainAnchorsCommand { domain, anchors })
            }
            Self::HoldPsk { group, psk, secret, .. } => Command::HoldPsk(HoldPsk {
                group: group.0,
                id: psk.into_bytes(),
                secret: secret.0.into(),
            }),
            Self::UsePsk { group, psk, anyway, .. } => {
                Command::UsePsk(UsePsk { group: group.0, id: psk.into_bytes(), anyway })
            }
            Self::UsePastEpoch { group, epoch, .. } => {
                Command::UsePastEpoch(UsePastEpoch { group: group.0, epoch })
            }
            Self::Propose { group, proposal, users, .. } => {
                let wish = wish(proposal, self::users(users));
                Command::Propose(ProposeCommand { group: group.0, wish })
            }
            Self::Join { room, .. } => Command::Join(room.0),
            Self::Restart { group, .. } => Command::Restart(group.0),
            Self::Knock { room, .. } => Command::Knock(room.0),
            Self::Accept { group, user, .. } => knocking::accept(group.0, user.0),
            Self::Deny { group, user, .. } => knocking::deny(group.0, user.0),
            Self::Reinit { group, suite, .. } => {
                let settings = Settings::default();
                Command::ReInit(ReInitCommand { group: group.0, suite, settings })
            }
        }
    }
}

fn wish(proposal: Proposal, users: Vec<UserId>) -> Wish {
    match proposal {
        Proposal::Update => Wish::Update,
        Proposal::Add => Wish::Add(users),
        Proposal::Remove => Wish::Remove(users),
    }
}

fn users(users: Vec<User>) -> Vec<UserId> {
    users.into_iter().map(|user| user.0).collect()
}
