//! What the hub wants done, done once more without harm: everything has a stable id.

use minidom::Element;
use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::delivery::DeliveryError;
use mls_core::hub::{
    Admit, AnswerEffect, Effect, Expel, Input, Membership, Notify, PostHandshake, Relay, Reply,
    ReplyTo,
};
use mls_core::limits::INLINE_BYTES_MAX;
use mls_core::wire::refusal::Refusal;

use super::{Command, Component, Shared};
use crate::mapping::affiliation::Affiliation;
use crate::mapping::application_message::{self, Application};
use crate::mapping::stanza::bare;
use crate::mapping::{Build, ghost, handshake, invitation, iq, notice_message};
use crate::session::Failure;
use crate::session::posting::PostError;

impl Component {
    /// Does one thing. `tried_before` says that it may have been done already without our
    /// knowledge: a post is then looked for in the room's archive first. Gives what the hub must
    /// be told about it: that a ghost is on its room's list, once.
    ///
    /// Lanes ([`Effect::lane`]) may run side by side; within one, the caller keeps the order.
    pub async fn perform(
        &self,
        effect: &Effect,
        tried_before: bool,
    ) -> Result<Option<Input>, DeliveryError> {
        if effect.network() != Network::Xmpp {
            return Err(not_ours());
        }
        match effect {
            Effect::Answer(answer) => self.shared.answer(answer).await?,
            Effect::Notify(notify) => self.shared.notify(notify).await?,
            Effect::PostHandshake(post) => self.post_handshake(post, tried_before).await?,
            Effect::Relay(relay) => {
                self.relay(relay, tried_before).await?;
                return Ok(self.shared.report(&relay.room, &relay.sender));
            }
            Effect::BindRoom(bind) => self.stay_in(&bind.room).await?,
            Effect::Admit(admit) => {
                self.shared.admit(admit).await?;
                return Ok(self.shared.report(&admit.room, &admit.user));
            }
            Effect::Expel(expel) => self.shared.expel(expel).await?,
            Effect::MakeRooms(_)
            | Effect::ClaimMatrix(_)
            | Effect::QueryDevice(_)
            | Effect::ListDevices(_) => {
                return Err(not_ours());
            }
        }
        Ok(None)
    }

    /// A MUC has no state to write the binding to; being there is all.
    async fn stay_in(&self, room: &RoomAddress) -> Result<(), DeliveryError> {
        self.command(Command::Stay { room: room.address.clone(), reply: None }).await
    }

    async fn post_handshake(
        &self,
        post: &PostHandshake,
        tried_before: bool,
    ) -> Result<(), DeliveryError> {
        let (room, id) = (&*post.room.address, post.id.to_string());
        let message = handshake::message(room, &id, &post.handshake);
        let hub = self.shared.hub();
        self.post(&hub, message, tried_before).await
    }

    async fn relay(&self, relay: &Relay, tried_before: bool) -> Result<(), DeliveryError> {
        let (room, id) = (&*relay.room.address, relay.id.to_string());
        let application = Application {
            group: relay.group.clone(),
            epoch: relay.epoch,
            message: relay.message.clone(),
            checkpoint: relay.checkpoint.clone(),
        };
        let message = application_message::message(room, &id, &application);
        self.shared.session.wait_until_live(room).await?;
        let ghost = self.shared.ghost_in(room, &relay.sender).await?;
        self.post(&ghost, message, tried_before).await
    }

    /// Posts into a room as one of our occupants.
    async fn post(
        &self,
        from: &str,
        message: Element,
        tried_before: bool,
    ) -> Result<(), DeliveryError> {
        match self.shared.session.post_once(from, message, tried_before).await {
            Ok(()) => Ok(()),
            Err(PostError::NotThere { room }) => {
                self.not_there(from, &room).await?;
                let why = format!("{} is not in {room}; it enters again", bare(from));
                Err(DeliveryError::Later { after_ms: None, why })
            }
            Err(PostError::Other(error)) => Err(error),
        }
    }

    /// The room says that one of our occupants is not in it.
    async fn not_there(&self, occupant: &str, room: &str) -> Result<(), DeliveryError> {
        if occupant == self.shared.hub() {
            self.command(Command::Lost { room: room.to_owned() }).await
        } else {
            self.shared.ghosts().left(room, occupant);
            Ok(())
        }
    }

    pub(super) async fn command(&self, command: Command) -> Result<(), DeliveryError> {
        let why = "the component is stopping".to_owned();
        let sent = self.commands.send(command).await;
        sent.map_err(|_| DeliveryError::Later { after_ms: None, why })
    }
}

impl Shared {
    /// Sends what no room reflects; done when the server has it.
    async fn deliver(&self, stanza: &Element) -> Result<(), Failure> {
        self.session.send_confirmed(stanza, &self.setup.domain, &self.setup.xmpp_domain).await
    }

    async fn answer(&self, answer: &AnswerEffect) -> Result<(), DeliveryError> {
        let ReplyTo::Jid(to) = &answer.to else { return Err(not_ours()) };
        let hub = &self.setup.domain;
        let sent = self.deliver(&iq::answer(hub, to, &answer.id, &answer.reply)).await;
        if let Err(Failure::TooLarge(_)) = sent {
            // Who asks is told at least that, for silence would be asked again.
            let limit = u32::try_from(INLINE_BYTES_MAX).unwrap_or(u32::MAX);
            let refused = Reply::Refused(Refusal::TooLarge(limit));
            self.deliver(&iq::answer(hub, to, &answer.id, &refused)).await?;
        }
        Ok(sent?)
    }

    /// What the hub does not know yet of a ghost that is in its room.
    fn report(&self, room: &RoomAddress, user: &UserId) -> Option<Input> {
        let jid = ghost::jid(user, &self.setup.domain);
        let news = user.network() != Network::Xmpp && self.ghosts().report(&room.address, &jid);
        let (room, user) = (room.clone(), user.clone());
        news.then_some(Input::Membership(Membership { room, user, listed: true }))
    }

    async fn notify(&self, notify: &Notify) -> Result<(), DeliveryError> {
        let to = notify.to.user().address();
        let message = notice_message(&to, &notify.id.to_string(), &notify.notice);
        let message = message.with("from", &self.setup.domain);
        Ok(self.deliver(&message).await?)
    }

    async fn admit(&self, admit: &Admit) -> Result<(), DeliveryError> {
        let room = &*admit.room.address;
        self.session.wait_until_live(room).await?;
        if admit.user.network() != Network::Xmpp {
            self.ghosts().may_enter(room, &ghost::jid(&admit.user, &self.setup.domain));
            return self.ghost_in(room, &admit.user).await.map(drop);
        }
        let account = admit.user.address();
        self.list(room, &account).await?;
        let reason = "an encrypted group";
        let message = invitation::message(&account, &admit.id.to_string(), room, reason);
        Ok(self.deliver(&message.with("from", self.hub())).await?)
    }

    async fn expel(&self, expel: &Expel) -> Result<(), DeliveryError> {
        let room = &*expel.room.address;
        if expel.user.network() != Network::Xmpp {
            return self.ghost_out(room, &expel.user, &expel.why).await;
        }
        self.session.wait_until_live(room).await?;
        let account = expel.user.address();
        // Who is not on the list is not put off it: a ban must stay one.
        match self.affiliations().of(room, &account) {
            Some(affiliation) if !affiliation.is_listed() => return Ok(()),
            _ => {}
        }
        self.set_affiliation(room, &account, Affiliation::None, Some(&expel.why)).await
    }
}

fn not_ours() -> DeliveryError {
    DeliveryError::Refused { why: "this is not for XMPP; a mistake of the caller".to_owned() }
}
