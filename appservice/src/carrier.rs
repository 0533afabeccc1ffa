//! The two networks as the runtime sees them: what they hand over, and what they carry out.

use std::future::Future;

use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::delivery::DeliveryError;
use mls_core::hub::{Effect, Incoming, Input};
use tokio::sync::oneshot;

/// What a network said at once; it is stored as a whole before `done` is sent.
#[derive(Debug)]
pub struct Delivery {
    /// Which network.
    pub network: Network,
    /// What happened, in order.
    pub incoming: Vec<Incoming>,
    /// How far that network was read with this.
    pub mark: Option<Mark>,
    /// Tells the adapter that all is stored; dropped when it is not, and then it comes again.
    pub done: oneshot::Sender<()>,
}

/// A note that an adapter reads again after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What it is about; unique within its network.
    pub key: String,
    /// How far.
    pub value: String,
}

/// What carries effects out.
pub trait Carrier: Send + Sync + 'static {
    /// Makes one attempt; what it led to is for the hub. `tried_before`: an earlier attempt may
    /// have reached the network.
    fn carry_out(
        &self,
        effect: &Effect,
        tried_before: bool,
    ) -> impl Future<Output = Result<Option<Input>, DeliveryError>> + Send;

    /// What the ghost of `user` is called in the network of `room`.
    fn ghost(&self, user: &UserId, room: &RoomAddress) -> Option<String>;
}

/// An effect's name, for logs.
pub fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Answer(_) => "Answer",
        Effect::Notify(_) => "Notify",
        Effect::PostHandshake(_) => "PostHandshake",
        Effect::Relay(_) => "Relay",
        Effect::MakeRooms(_) => "MakeRooms",
        Effect::BindRoom(_) => "BindRoom",
        Effect::ClaimMatrix(_) => "ClaimMatrix",
        Effect::QueryDevice(_) => "QueryDevice",
        Effect::ListDevices(_) => "ListDevices",
        Effect::Admit(_) => "Admit",
        Effect::Expel(_) => "Expel",
    }
}
