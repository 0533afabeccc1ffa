//! A network for tests: notes every call, and answers as it is told.

use std::sync::{Mutex, PoisonError};

use mls_core::delivery::DeliveryError;
use tokio::sync::mpsc;

/// What the network says to a call, given how often the very same was called before.
type Say = Box<dyn Fn(&Call, usize) -> Result<(), DeliveryError> + Send + Sync>;

/// One call, in words: what was asked for, and its id.
pub(crate) type Call = String;

pub(crate) struct FakeNetwork {
    say: Say,
    calls: Mutex<Vec<Call>>,
    told: mpsc::UnboundedSender<Call>,
}

impl FakeNetwork {
    /// A network and the calls that are made to it.
    pub(crate) fn new(
        say: impl Fn(&Call, usize) -> Result<(), DeliveryError> + Send + Sync + 'static,
    ) -> (Self, mpsc::UnboundedReceiver<Call>) {
        let (told, calls) = mpsc::unbounded_channel();
        (Self { say: Box::new(say), calls: Mutex::default(), told }, calls)
    }

    pub(crate) fn call(&self, call: String) -> Result<(), DeliveryError> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let before = calls.iter().filter(|earlier| **earlier == call).count();
        calls.push(call.clone());
        self.told.send(call.clone()).unwrap();
        (self.say)(&call, before)
    }
}
