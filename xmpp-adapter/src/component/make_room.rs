//! Makes the MUC of a new group: configured before anybody can enter it (XEP-0045 10.1).

use minidom::Element;
use mls_core::address::Network;
use mls_core::delivery::DeliveryError;
use mls_core::hub::MakeRooms;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Command, Component, HUB_NICK};
use crate::limits::ENTER_DEADLINE;
use crate::mapping::affiliation::Affiliation;
use crate::mapping::namespace::DISCO_INFO;
use crate::mapping::{ghost, room_config};
use crate::session::Failure;

/// Hex digits of the job's id in a room's name.
const NAME_DIGITS: usize = 32;

impl Component {
    /// Makes the room, or finds it made, and gives its bare JID. Its name follows from the job, so
    /// that the same again is the same room. The hub owns it and stays in it; a creator from XMPP
    /// becomes an owner too, one from elsewhere gets a ghost.
    pub async fn make_room(&self, make: &MakeRooms) -> Result<String, DeliveryError> {
        let name: String = make.job.to_string().chars().take(NAME_DIGITS).collect();
        let room = format!("{name}@{}", self.shared.setup.muc_service);
        let hub = self.shared.hub();
        let session = &self.shared.session;
        session.enter_under_some_nick(&hub, &room, HUB_NICK).await.map_err(may_not_make)?;
        self.configure(&room, &make.rooms.name).await?;
        if make.creator.network() == Network::Xmpp {
            let creator = make.creator.address();
            self.shared.set_affiliation(&room, &creator, Affiliation::Owner, None).await?;
        }
        self.enter_and_stay(&room).await?;
        if make.creator.network() != Network::Xmpp {
            let ghost = ghost::jid(&make.creator, &self.shared.setup.domain);
            self.shared.set_affiliation(&room, &ghost, Affiliation::Member, None).await?;
            self.shared.ghost_enters(&room, &make.creator).await?;
        }
        Ok(room)
    }

    async fn configure(&self, room: &str, name: &str) -> Result<(), DeliveryError> {
        let (session, hub) = (&self.shared.session, self.shared.hub());
        let ask = async |kind, payload| session.ask(kind, Some(&hub), room, payload).await;
        let offer = ask("get", room_config::form_request()).await?;
        ask("set", room_config::filled(&offer, name)).await?;
        let disco = ask("get", Element::bare("query", DISCO_INFO)).await?;
        let lacks = room_config::lacks(&disco);
        if lacks.is_empty() {
            return Ok(());
        }
        let why = format!(
            "the MUC service cannot make a room for a group, which needs that {}: enable the \
             modules for that (Prosody: `muc_mam` for archives) and run `mls-bridge check`",
            lacks.join("; that ")
        );
        Err(DeliveryError::Refused { why })
    }

    async fn enter_and_stay(&self, room: &str) -> Result<(), DeliveryError> {
        let (reply, entered) = oneshot::channel();
        self.command(Command::Stay { room: room.to_owned(), reply: Some(reply) }).await?;
        match timeout(ENTER_DEADLINE, entered).await {
            Ok(Ok(entered)) => Ok(entered?),
            Ok(Err(_)) => Err(Failure::Offline.into()),
            Err(_) => Err(Failure::Timeout.into()),
        }
    }
}

fn may_not_make(failure: Failure) -> DeliveryError {
    match &failure {
        Failure::Refused(error) if matches!(&*error.condition, "forbidden" | "not-allowed") => {
            let why = "the MUC service lets us make no room: set `restrict_room_creation = false` \
                in its section of Prosody's configuration";
            DeliveryError::Refused { why: why.to_owned() }
        }
        _ => failure.into(),
    }
}
