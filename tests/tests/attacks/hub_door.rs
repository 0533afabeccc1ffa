//! The hub's door on either network, for an account that sends requests which no client makes.

use matrix_adapter::mapping as matrix;
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
pub(crate) enum HubDoor {
    Matrix { session: MatrixSession, control_room: String, next_id: u32 },
    Xmpp(XmppSession),
}

impl HubDoor {
    /// For an account of either network.
    pub(crate) fn open(rig: &Rig, account: &Account) -> Result<Self, RigError> {
        if account.address.starts_with('@') {
            let session = MatrixSession::login(rig.synapse.port, account)?;
            let control_room = session.control_room()?;
            Ok(Self::Matrix { session, control_room, next_id: 1 })
        } else {
            XmppSession::login(rig.prosody.ports.client, account).map(Self::Xmpp)
        }
    }

    /// One request and the hub's answer, read with the adapters' own mapping.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Result<Answer, Refusal>, RigError> {
        let unread = |error: String| RigError::Answer(format!("the hub's answer: {error}"));
        match self {
            Self::Matrix { session, control_room, next_id } => {
                *next_id += 1;
                let id = format!("attack-{next_id}");
                let content = session.ask(control_room, &matrix::request::encode(&id, request))?;
                let read = matrix::answer::decode(content);
                read.map(|(_, answer)| answer).map_err(|e| unread(e.to_string()))
            }
            Self::Xmpp(session) => {
                let reads = matches!(request, Request::FetchHandshakes(_));
                let kind = if reads { "get" } else { "set" };
                let payload = String::from(&xmpp::request_to_xml(request));
                let text = session.iq(kind, Some(HUB), &payload)?;
                // The stream's own namespace is not said again in each stanza.
                let text = text.replacen("<iq", "<iq xmlns='jabber:client'", 1);
                let iq = text.parse().map_err(|e| unread(format!("{e} in {text}")))?;
                xmpp::iq::read_answer(&iq).map_err(|e| unread(format!("{e} in {text}")))
            }
        }
    }

    /// A request that must be refused; returns the refusal.
    pub(crate) fn refused(&mut self, request: &Request) -> Result<Refusal, RigError> {
        match self.ask(request)? {
            Err(refusal) => Ok(refusal),
            Ok(answer) => Err(RigError::Answer(format!("the hub took {request:?}: {answer:?}"))),
        }
    }
}
