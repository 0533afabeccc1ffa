//! The leaves of the log: all are read, each once, for only then it is known that none names this user unseen.

use super::super::Member;
use super::super::requests::Purpose;
use super::super::warning::WarningKind;
use super::Watch;
use crate::limits::LOG_OWN_LEAVES_MAX;
use crate::store::StoreError;
use crate::transparency::{Frontier, user_label};
use crate::wire::fetch_log_leaves::FetchLogLeaves;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId, Request};

const OTHER_LOG: &str = "the hub shows other entries of the log of certificates than those that it signed for: \
                         it may hide some; they are read anew";

impl Member {
    /// Goes on reading up to the head.
    pub(super) fn read_leaves(&mut self, mut watch: Watch) -> Result<(), StoreError> {
        let Some(head) = watch.head.as_ref().map(|known| known.head.clone()) else { return Ok(()) };
        let from = watch.frontier.size();
        if from < head.size {
            self.save_watch(&watch)?;
            let asked = Request::FetchLogLeaves(FetchLogLeaves { from, size: head.size });
            return self.request(Purpose::LogLeaves, asked).map(drop);
        }
        if !watch.frontier.is_tree_of(&head).unwrap_or_default() {
            (watch.frontier, watch.own) = (Frontier::default(), Vec::new());
            self.save_watch(&watch)?;
            return self.warn(&GroupId::none(), WarningKind::Authority, OTHER_LOG);
        }
        self.save_watch(&watch)?;
        self.read_own_entries(&watch)?;
        self.prove_certificates(&head)
    }

    /// The hub gave a page of leaves.
    pub(in super::super) fn log_leaves_answered(
        &mut self,
        asked: Option<Request>,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let (Some(Request::FetchLogLeaves(asked)), Ok(Answer::LogLeaves(page))) = (asked, result)
        else {
            return Ok(());
        };
        let mut watch = self.watch()?;
        let own = user_label(&self.client.user());
        let found = watch.frontier.take(asked.from, &page.leaves, own);
        let most = watch.head.as_ref().map_or(0, |known| known.head.size);
        match found {
            Ok(found) if !page.leaves.is_empty() && watch.frontier.size() <= most => {
                watch.own.extend(found);
                if watch.own.len() > LOG_OWN_LEAVES_MAX {
                    watch.own.truncate(LOG_OWN_LEAVES_MAX);
                    let text =
                        "the log of certificates has more entries of this user than are looked at";
                    self.warn(&GroupId::none(), WarningKind::Authority, text)?;
                }
                self.read_leaves(watch)
            }
            // Nothing, or more than there is.
            Ok(_) => self.warn(&GroupId::none(), WarningKind::Authority, OTHER_LOG),
            // Of a page that was asked for twice, or what is kept is damaged: from the beginning, next time.
            Err(_) => {
                (watch.frontier, watch.own) = (Frontier::default(), Vec::new());
                self.save_watch(&watch)
            }
        }
    }
}
