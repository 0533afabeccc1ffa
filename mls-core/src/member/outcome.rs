//! What one input led to, and how safe its writes must be before anything is done.

use super::Output;
use super::send::OUTGOING;
use crate::store::Write;

/// What one input led to. Commit the writes as `durability` says, then act.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Changes of the database.
    pub writes: Vec<Write>,
    /// How safe they must be before the outputs are acted on.
    pub durability: Durability,
    /// What to do, in this order.
    pub outputs: Vec<Output>,
}

/// How safe the writes of an outcome must be before its outputs are acted on.
///
/// Whoever gave the input is answered only when they are on the disk, in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// On the disk: synced.
    #[default]
    Synced,
    /// Committed, so that the end of the process cannot undo them; a loss of power may, and all
    /// that were committed after them with them, up to the next sync.
    ///
    /// Only for messages that were encrypted with generations reserved before and that no
    /// command on the disk waits for. Undone, such a message was never sent, as far as this
    /// device knows: it may be in the room all the same, and the command, which was not answered
    /// yet, sends another if it is given again. No generation is used twice.
    Committed,
}

impl Outcome {
    pub(super) fn new(writes: Vec<Write>, outputs: Vec<Output>) -> Self {
        let durability = Durability::needed(&writes, &outputs);
        Self { writes, durability, outputs }
    }
}

impl Durability {
    /// By what there is to lose and to do, and not by how it came to be: a message to hand out,
    /// and nothing but that noted. A reservation, the end of a queued command, an event, a whole
    /// group: all of those are other rows.
    fn needed(writes: &[Write], outputs: &[Output]) -> Self {
        let handed_out =
            |write: &Write| matches!(write, Write::Put { space, .. } if *space == OUTGOING);
        let messages = outputs.iter().all(|output| matches!(output, Output::Send(_)));
        match messages && !outputs.is_empty() && writes.iter().all(handed_out) {
            true => Self::Committed,
            false => Self::Synced,
        }
    }
}
