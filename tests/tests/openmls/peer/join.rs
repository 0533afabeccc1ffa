//! Joining by a Welcome: the hub brings it with the tree of its epoch and the commit's receipt.

use std::collections::VecDeque;

use mls_core::receipt::{Receipt, ReceiptKind};
use mls_core::wire::blob::Part;
use mls_core::wire::fetch_welcomes::FetchWelcomes;
use mls_core::wire::welcome::Welcome;
use mls_core::wire::{Answer, Request};
use openmls::prelude::tls_codec::Deserialize as _;
use openmls::prelude::{MlsMessageBodyIn, MlsMessageIn, RatchetTreeIn, StagedWelcome};

use super::{Joined, Link, OpenMlsPeer, PeerError, admission, engine, handshake, identity};

impl OpenMlsPeer {
    /// Enters the group that a Welcome leads to, and its room. A second copy changes nothing.
    pub(super) fn welcome(
        &mut self,
        link: &mut impl Link,
        welcome: &Welcome,
    ) -> Result<(), PeerError> {
        let inside = self
            .group()
            .is_ok_and(|group| group.is_active() && group.group_id().as_slice() == welcome.group.0);
        if inside || welcome.client != self.client {
            return Ok(());
        }
        if welcome.resumes.is_some() {
            // A new start or a branch (RFC 9420 11.2, 11.3): OpenMLS has no way to give the other group's
            // resumption PSK to a Welcome. The leaf is there, with this device's key: it comes back to it.
            self.rejoin(link, &welcome.group)?;
        } else {
            self.joined = Some(self.enter_group(link, welcome)?);
            self.enter_rooms(link)?;
        }
        self.acknowledge(link, welcome)
    }

    /// Asks for the Welcomes that wait at the hub, for the way that they are pushed is lossy.
    pub(crate) fn fetch_welcomes(&mut self, link: &mut impl Link) -> Result<(), PeerError> {
        let fetch = FetchWelcomes {
            device: self.client.device(),
            acknowledged: Vec::new(),
            held: Vec::new(),
        };
        match link.ask(Request::FetchWelcomes(fetch))? {
            Answer::Welcomes(found) => {
                found.welcomes.iter().try_for_each(|welcome| self.welcome(link, welcome))
            }
            other => Err(PeerError::answer(&other)),
        }
    }

    fn enter_group(
        &mut self,
        link: &mut impl Link,
        welcome: &Welcome,
    ) -> Result<Joined, PeerError> {
        let hub = self.hub(link)?;
        let MlsMessageBodyIn::Welcome(mls_welcome) =
            MlsMessageIn::tls_deserialize_exact(inline(&welcome.welcome)?)?.extract()
        else {
            return Err(PeerError::new("this is not a Welcome"));
        };
        let tree = RatchetTreeIn::tls_deserialize_exact(inline(&welcome.tree)?)?;
        let staged =
            StagedWelcome::build_from_welcome(&self.provider, &engine::join_config()?, mls_welcome)
                .map_err(PeerError::new)?
                .with_ratchet_tree(tree)
                // A group may hold leaves that expired without an update; they are the hub's to remove.
                .skip_lifetime_validation()
                .replace_old_group()
                .build()
                .map_err(PeerError::new)?;
        let context = staged.group_context();
        admission::check_context(context, &hub)?;
        identity::check_members(context, staged.members())?;
        let last = Receipt::from_bytes(&welcome.receipt)?;
        handshake::check_key(&last, &hub)?;
        let leads_here = last.tbs.kind == ReceiptKind::Commit
            && last.tbs.group.0 == context.group_id().as_slice()
            && last.tbs.epoch.checked_add(1) == Some(context.epoch().as_u64());
        if !leads_here {
            return Err(PeerError::new("the Welcome's receipt is not that of its commit"));
        }
        let group = staged.into_group(&self.provider).map_err(PeerError::new)?;
        Ok(Joined { group, last, proposed: Vec::new(), early: VecDeque::new() })
    }

    /// Enters the group's room of the own network.
    pub(super) fn enter_rooms(&mut self, link: &mut impl Link) -> Result<(), PeerError> {
        let own = self.client.network();
        let rooms = self.rooms()?;
        rooms.iter().filter(|room| room.network == own).try_for_each(|room| link.join_room(room))
    }

    fn acknowledge(&self, link: &mut impl Link, welcome: &Welcome) -> Result<(), PeerError> {
        let device = self.client.device();
        let fetch = FetchWelcomes { device, acknowledged: vec![welcome.id], held: Vec::new() };
        link.ask(Request::FetchWelcomes(fetch)).map(drop)
    }
}

/// A part's bytes; whoever carries messages has fetched blobs.
pub(super) fn inline(part: &Part) -> Result<&[u8], PeerError> {
    part.inline().ok_or_else(|| PeerError::new("a blob was not fetched"))
}
