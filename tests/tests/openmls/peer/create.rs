//! Creating a group: rooms by the hub, a GroupContext that binds them, and its registration.

use std::collections::VecDeque;

use mls_core::bridge_group::{BridgeGroup, Order};
use mls_core::identity::TrustAnchors;
use mls_core::policy::GROUP_ID_BYTES;
use mls_core::seal::handshake_key::LENGTH;
use mls_core::wire::create_room::{CreateRoom, RoomCreated};
use mls_core::wire::hub_info::HubInfo;
use mls_core::wire::register_group::RegisterGroup;
use mls_core::wire::{Answer, Request};
use mls_rs_codec::MlsEncode as _;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    Extension, ExtensionType, Extensions, ExternalSender, GroupContext, GroupId, MlsGroup,
    OpenMlsProvider as _, OpenMlsRand as _, RequiredCapabilitiesExtension, UnknownExtension,
};

use super::handshake::{self, LABEL_TEXT};
use super::{Joined, Link, OpenMlsPeer, PeerError, engine};

impl OpenMlsPeer {
    /// Has rooms made and makes a group in them, with its own user as the one admin.
    pub(crate) fn create(
        &mut self,
        link: &mut impl Link,
        rooms: CreateRoom,
    ) -> Result<(), PeerError> {
        let hub = self.hub(link)?;
        let rooms = match link.ask(Request::CreateRoom(rooms))? {
            Answer::RoomCreated(rooms) => rooms,
            other => return Err(PeerError::answer(&other)),
        };
        let group = self.new_group(&hub, &rooms)?;
        let info = group
            .export_group_info(self.provider.crypto(), &self.signer, false)
            .map_err(PeerError::new)?
            .tls_serialize_detached()?;
        let tree = group.export_ratchet_tree().tls_serialize_detached()?;
        let exported = group
            .export_secret(self.provider.crypto(), LABEL_TEXT, &[], LENGTH)
            .map_err(PeerError::new)?;
        let handshake_key = handshake::key(&exported)?;
        let (group_info, tree) = (info.clone().into(), tree.into());
        let register = RegisterGroup { group_info, tree, handshake_key };
        let last = match link.ask(Request::RegisterGroup(register))? {
            Answer::Receipt(receipt) => {
                let id = mls_core::wire::GroupId(group.group_id().to_vec());
                handshake::verified(&receipt, &hub, &id, &info)?
            }
            other => return Err(PeerError::answer(&other)),
        };
        self.joined = Some(Joined { group, last, proposed: Vec::new(), early: VecDeque::new() });
        self.enter_rooms(link)
    }

    fn new_group(&self, hub: &HubInfo, rooms: &RoomCreated) -> Result<MlsGroup, PeerError> {
        let config = {
            let extensions = self.context_extensions(hub, rooms)?;
            engine::create_config(self.provider.rand(), self.suite, extensions)?
        };
        let id = self.provider.rand().random_vec(GROUP_ID_BYTES).map_err(PeerError::new)?;
        MlsGroup::new_with_group_id(
            &self.provider,
            &self.signer,
            &config,
            GroupId::from_slice(&id),
            self.credential.clone(),
        )
        .map_err(PeerError::new)
    }

    /// 0xFB71, who may propose from outside (the hub, and nobody else), and what every member
    /// must support.
    fn context_extensions(
        &self,
        hub: &HubInfo,
        rooms: &RoomCreated,
    ) -> Result<Extensions<GroupContext>, PeerError> {
        let bound = self.bind(hub, rooms).mls_encode_to_vec()?;
        let suite = u16::from(self.suite);
        let sender = hub.senders.iter().find(|sender| sender.suite == suite);
        let sender = sender.ok_or_else(|| PeerError::new("the hub does not do this suite"))?;
        let sender = ExternalSender::tls_deserialize_exact(&*sender.identity)?;
        let required = RequiredCapabilitiesExtension::new(
            &[ExtensionType::Unknown(engine::BRIDGE_GROUP)],
            &[],
            &engine::CREDENTIALS,
        );
        Ok(Extensions::from_vec(vec![
            Extension::Unknown(engine::BRIDGE_GROUP, UnknownExtension(bound)),
            Extension::RequiredCapabilities(required),
            Extension::ExternalSenders(vec![sender]),
        ])?)
    }

    fn bind(&self, hub: &HubInfo, rooms: &RoomCreated) -> BridgeGroup {
        BridgeGroup {
            version: 0,
            receipt_key: hub.receipt_key.clone(),
            hub_matrix: hub.hub_matrix.clone().unwrap_or_default(),
            hub_xmpp: hub.hub_xmpp.clone().unwrap_or_default(),
            matrix_room: rooms.matrix_room.clone().unwrap_or_default(),
            matrix_via: String::new(),
            muc: rooms.muc.clone().unwrap_or_default(),
            admins: self.client.user().to_string(),
            order: Order::Hub,
            members_may_add: false,
            basic_allowed: true,
            open_join: false,
            join_psk: Vec::new(),
            previous_key: Vec::new(),
            handover: Vec::new(),
            anchors: TrustAnchors(hub.anchors.clone()),
            replaces: Vec::new(),
        }
    }
}
