//! What the operator wants done on the hub's own machine: who is revoked, and who is no more.
//!
//! An order comes as an input and is answered in its outcome; nothing of it travels.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::leaves;
use super::revocation::{self, RevokedBy, is_revoked, revoked_by};
use super::turn::Turn;
use crate::address::{ClientId, UserId};
use crate::limits::REVOKED_LISTED_MAX;
use crate::overlay::Overlay;
use crate::store::StoreError;

/// What an operator wants.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum OperatorOrder {
    /// A device, or an account with all its devices, counts no more.
    Revoke(Whom) = 1u8,
    /// They may ask again; certificates of before stay revoked.
    Undo(Whom) = 2u8,
    /// Who is revoked?
    List = 3u8,
    /// Ask the homeserver soon which devices the account has, and revoke those that are gone.
    LookAt(UserId) = 4u8,
}

/// A device or an account.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Whom {
    /// One device.
    Client(ClientId) = 1u8,
    /// All devices of an account, those to come too.
    User(UserId) = 2u8,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum OperatorAnswer {
    /// It is done.
    Done(OrderDone) = 1u8,
    /// Who is revoked: accounts first, at most [`REVOKED_LISTED_MAX`].
    Listed(Vec<RevokedEntry>) = 2u8,
    /// Nothing was done; one sentence that says why, and what to do.
    Refused(String) = 3u8,
}

/// What an order changed.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct OrderDone {
    /// Devices that count no more, or may ask again, since this order.
    pub devices: Vec<ClientId>,
    /// In how many groups a removal is proposed.
    pub groups: u32,
}

/// Who is revoked.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct RevokedEntry {
    /// Who.
    pub whom: Whom,
    /// By whose word.
    pub by: RevokedBy,
    /// Since when, in milliseconds since 1970.
    pub at_ms: u64,
}

impl Whom {
    /// The account.
    pub fn user(&self) -> UserId {
        match self {
            Self::Client(client) => client.user(),
            Self::User(user) => user.clone(),
        }
    }
}

impl Turn<'_> {
    /// Follows an order, or says why not.
    pub(super) fn operator(&mut self, order: &OperatorOrder) -> Result<OperatorAnswer, StoreError> {
        if let Some(why) = self.refuses(order)? {
            return Ok(OperatorAnswer::Refused(why));
        }
        self.revoked_changed |= matches!(order, OperatorOrder::Revoke(_) | OperatorOrder::Undo(_));
        match order {
            OperatorOrder::Revoke(Whom::Client(client)) => self.revoke_client(client),
            OperatorOrder::Revoke(Whom::User(user)) => self.revoke_user(user),
            OperatorOrder::Undo(Whom::Client(client)) => self.lift(vec![client.clone()]),
            OperatorOrder::Undo(Whom::User(user)) => self.lift_user(user),
            OperatorOrder::LookAt(user) => {
                self.look_soon(user);
                Ok(OperatorAnswer::Done(OrderDone { devices: Vec::new(), groups: 0 }))
            }
            OperatorOrder::List => revoked_entries(self.store).map(OperatorAnswer::Listed),
        }
    }

    /// One sentence that says why an order is not followed.
    fn refuses(&self, order: &OperatorOrder) -> Result<Option<String>, StoreError> {
        if *order != OperatorOrder::List && !self.setup.roles.certifies() {
            let why =
                "the authority is another process, and says who is revoked: give it this order";
            return Ok(Some(why.to_owned()));
        }
        let whom = match order {
            OperatorOrder::Revoke(whom) | OperatorOrder::Undo(whom) => whom,
            OperatorOrder::LookAt(user) if !self.is_told_of(user) => {
                return Ok(Some(format!(
                    "only a homeserver tells of its accounts' devices, and {user} has none here: revoke what is gone by name"
                )));
            }
            OperatorOrder::LookAt(_) | OperatorOrder::List => return Ok(None),
        };
        let (user, domains) = (whom.user(), self.setup.domains());
        if !domains.contains(&user.domain()) {
            return Ok(Some(format!(
                "this hub certifies accounts of {}, and says nothing of {user}: an admin of its groups can remove it",
                domains.join(" and ")
            )));
        }
        match (order, whom) {
            (OperatorOrder::Undo(_), whom) => self.refuses_undo(whom),
            (_, Whom::Client(client)) if !self.may_be(client)? => Ok(Some(format!(
                "this hub never saw a device {client}: look at its id again, as `mls-bot members GROUP` shows it"
            ))),
            _ => Ok(None),
        }
    }

    fn refuses_undo(&self, whom: &Whom) -> Result<Option<String>, StoreError> {
        let account = revocation::user_since_ms(self.store, &whom.user())?.is_some();
        Ok(match whom {
            Whom::User(_) if account => None,
            Whom::User(user) => Some(format!(
                "{user} is not revoked as an account; `mls-bridge revoke --list` shows who is"
            )),
            Whom::Client(client) if account => {
                Some(format!("the account of {client} is revoked: undo that of {}", whom.user()))
            }
            Whom::Client(client) => match is_revoked(self.store, client)? {
                true => None,
                false => Some(format!(
                    "{client} is not revoked; `mls-bridge revoke --list` shows who is"
                )),
            },
        })
    }

    fn revoke_client(&mut self, client: &ClientId) -> Result<OperatorAnswer, StoreError> {
        let before = revoked_by(self.store, client)?.is_some();
        let groups = self.revoke(client, &RevokedBy::Operator)?;
        let devices = if before { Vec::new() } else { vec![client.clone()] };
        Ok(OperatorAnswer::Done(OrderDone { devices, groups }))
    }

    fn revoke_user(&mut self, user: &UserId) -> Result<OperatorAnswer, StoreError> {
        let mut devices = Vec::new();
        for client in self.known_devices(user)? {
            if !is_revoked(self.store, &client)? {
                devices.push(client);
            }
        }
        for client in &devices {
            self.revoke(client, &RevokedBy::OperatorOfUser)?;
        }
        revocation::write_user(self.store, user, self.now_ms)?;
        let groups =
            if devices.is_empty() { 0 } else { leaves::all_groups(self.store, user)?.len() };
        let groups = u32::try_from(groups).unwrap_or(u32::MAX);
        Ok(OperatorAnswer::Done(OrderDone { devices, groups }))
    }

    /// Devices that were revoked for another reason stay revoked.
    fn lift_user(&self, user: &UserId) -> Result<OperatorAnswer, StoreError> {
        revocation::lift_user(self.store, user);
        let devices = revocation::devices(self.store, Some(user), usize::MAX)?;
        let along = devices.into_iter().filter(|(_, by, _)| *by == RevokedBy::OperatorOfUser);
        self.lift(along.map(|(client, ..)| client).collect())
    }

    fn lift(&self, devices: Vec<ClientId>) -> Result<OperatorAnswer, StoreError> {
        devices.iter().try_for_each(|client| revocation::lift(self.store, client))?;
        Ok(OperatorAnswer::Done(OrderDone { devices, groups: 0 }))
    }
}

/// Who is revoked: accounts first, at most [`REVOKED_LISTED_MAX`].
pub(super) fn revoked_entries(store: &Overlay) -> Result<Vec<RevokedEntry>, StoreError> {
    let users = revocation::users(store, REVOKED_LISTED_MAX)?;
    let user =
        |(user, at_ms)| RevokedEntry { whom: Whom::User(user), by: RevokedBy::Operator, at_ms };
    let mut entries: Vec<_> = users.into_iter().map(user).collect();
    let rest = REVOKED_LISTED_MAX.saturating_sub(entries.len());
    let devices = revocation::devices(store, None, rest)?;
    let device = |(client, by, at_ms)| RevokedEntry { whom: Whom::Client(client), by, at_ms };
    entries.extend(devices.into_iter().map(device));
    Ok(entries)
}

#[cfg(test)]
crate::codec_properties::hold!(OperatorOrder, Whom, OperatorAnswer, OrderDone, RevokedEntry);
