//! The hub's door on either network, for an account that sends requests which no client makes.

use matrix_adapter::mapping as matrix;
use mls_core::address::UserId;
use mls_core::seal::Sealer;
use mls_core::service::Service;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Request};
use tests::bot::Account;
use tests::error::RigError;
use tests::matrix_session::MatrixSession;
use tests::prosody::HUB;
use tests::rig::Rig;
use tests::xmpp_session::XmppSession;
use xmpp_adapter::mapping as xmpp;

/// A logged-in account that asks the hub.
pub(crate) struct HubDoor {
    way: Way,
    sealer: Sealer,
}

enum Way {
    Matrix { session: MatrixSession, control_room: String, next_id: u32 },
    Xmpp(XmppSession),
}

impl HubDoor {
    /// For an account of either network.
    pub(crate) fn open(rig: &Rig, account: &Account) -> Result<Self, RigError> {
        let user = UserId::from_human(&account.address);
        let sealer = user.map_err(|e| RigError::Answer(e.to_string()))?;
        let sealer = Sealer::new(sealer, &mls_core::crypto::Crypto::system())
            .map_err(|e| RigError::Answer(e.to_string()))?;
        let way = if account.address.starts_with('@') {
            let session = MatrixSession::login(rig.synapse.port, account)?;
            let control_room = session.control_room()?;
            Way::Matrix { session, control_room, next_id: 1 }
        } else {
            Way::Xmpp(XmppSession::login(rig.prosody.ports.client, account)?)
        };
        Ok(Self { way, sealer })
    }

    /// One request and the hub's answer, read with the adapters' own mapping.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Result<Answer, Refusal>, RigError> {
        if *request != Request::HubInfo {
            let Ok(Answer::HubInfo(info)) = self.ask(&Request::HubInfo)? else {
                return Err(RigError::Answer("the hub does not say who it is".to_owned()));
            };
            self.sealer.use_key(&info.seal_key);
        }
        let sealer = self.sealer.clone();
        let unread = |error: String| RigError::Answer(format!("the hub's answer: {error}"));
        let failed = |error: mls_core::seal::SealError| RigError::Answer(error.to_string());
        let (id, reply) = match &mut self.way {
            Way::Matrix { session, control_room, next_id } => {
                *next_id += 1;
                let id = format!("attack-{next_id}");
                let sealed = sealer.seal(&Service::Delivery, &id, request).map_err(failed)?;
                let content = session.ask(control_room, &matrix::request::encode(&id, &sealed))?;
                let read = matrix::answer::decode(content);
                read.map_err(|e| unread(e.to_string()))?
            }
            Way::Xmpp(session) => {
                let id = session.next_iq_id();
                let sealed = sealer.seal(&Service::Delivery, &id, request).map_err(failed)?;
                let kind = if *request == Request::HubInfo { "get" } else { "set" };
                let payload = String::from(&xmpp::request_to_xml(&sealed));
                let text = session.iq(kind, Some(HUB), &payload)?;
                // The stream's own namespace is not said again in each stanza.
                let text = text.replacen("<iq", "<iq xmlns='jabber:client'", 1);
                let iq = text.parse().map_err(|e| unread(format!("{e} in {text}")))?;
                let read = xmpp::iq::read_answer(&iq);
                (id, read.map_err(|e| unread(format!("{e} in {text}")))?)
            }
        };
        let answer = sealer.open(&Service::Delivery, &id, reply);
        answer.ok_or_else(|| unread("it does not open".to_owned()))
    }

    /// A request that must be refused; returns the refusal.
    pub(crate) fn refused(&mut self, request: &Request) -> Result<Refusal, RigError> {
        match self.ask(request)? {
            Err(refusal) => Ok(refusal),
            Ok(answer) => Err(RigError::Answer(format!("the hub took {request:?}: {answer:?}"))),
        }
    }
}
