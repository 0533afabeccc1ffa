//! Own messages that were seen in their rooms: they are not posted again (Prosody keeps both).

use std::collections::{HashSet, VecDeque};

use crate::limits::OWN_SEEN_MAX;

/// Room and id of each, the oldest forgotten first.
#[derive(Default)]
pub(crate) struct OwnMessages {
    seen: HashSet<(String, String)>,
    order: VecDeque<(String, String)>,
    /// Room and id of those that this process has put on their way.
    tried: HashSet<(String, String)>,
}

impl OwnMessages {
    /// It was seen in its room.
    pub(crate) fn see(&mut self, room: &str, id: &str) {
        let key = (room.to_owned(), id.to_owned());
        self.tried.remove(&key);
        if self.seen.insert(key.clone()) {
            self.order.push_back(key);
        }
        if self.order.len() > OWN_SEEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }

    /// Whether it was seen in its room.
    pub(crate) fn was_seen(&self, room: &str, id: &str) -> bool {
        self.seen.contains(&(room.to_owned(), id.to_owned()))
    }

    /// It is put on its way now; whether it was before.
    pub(crate) fn was_tried(&mut self, room: &str, id: &str) -> bool {
        if self.tried.len() >= OWN_SEEN_MAX {
            self.tried.clear();
        }
        !self.tried.insert((room.to_owned(), id.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first_and_the_rest_is_known() {
        let mut own = OwnMessages::default();
        for n in 0..=OWN_SEEN_MAX {
            own.see("room", &n.to_string());
        }
        assert!(!own.was_seen("room", "0"));
        assert!(own.was_seen("room", "1"));
        assert!(!own.was_seen("other", "1"));
    }
}
