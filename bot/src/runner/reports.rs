//! What the end of a task means for the member.

use mls_core::member::{Confirmation, Input};

use super::work::{Report, RoomTask};
use super::{RunError, Runner};

impl Runner {
    /// A task has ended.
    pub(super) fn report(&mut self, report: Report) -> Result<(), RunError> {
        match report {
            Report::Posted(room, id, result) => {
                self.work.posted(&room, &id);
                match result {
                    Ok(()) => self.input(Input::Confirmed(Confirmation::Sent(id)), Vec::new())?,
                    Err(why) => {
                        let not_sent = Confirmation::NotSent(id, why);
                        self.input(Input::Confirmed(not_sent), Vec::new())?;
                    }
                }
            }
            Report::Room(task, result) => self.room_done(task, result)?,
            Report::Fetched(input) => {
                self.work.fetched();
                self.input(input, Vec::new())?;
            }
            Report::NotAsked(id, refusal) => {
                self.work.not_asked(&id);
                self.input(Input::Answer(id, Err(refusal)), Vec::new())?;
            }
            Report::Uploaded(id, suite, count) => {
                self.work.uploaded(&id);
                let confirmed = Confirmation::KeyPackagesUploaded(id);
                self.input(Input::Confirmed(confirmed), Vec::new())?;
                self.input(Input::KeyPackagesLeft { suite, count }, Vec::new())?;
            }
        }
        Ok(())
    }

    fn room_done(&mut self, task: RoomTask, result: Result<(), String>) -> Result<(), RunError> {
        let done = vec![self.invitations.forget(&task.room)];
        for input in self.work.room_done(&task, result) {
            self.input(input, Vec::new())?;
        }
        Ok(self.database.commit(&done)?)
    }
}
